#include "weights/formats/pickle.h"

#include "weights/formats/pickle_globals.h"
#include "weights/formats/pickle_stack.h"

namespace sdgen {
namespace {

constexpr std::size_t kLongestName = 200;  // of a class

// The machine's opcodes. run_*() return false for one that is not theirs.
class PickleMachine : PickleStack {
 public:
  PickleMachine(std::span<const std::uint8_t> bytes, const std::string& file, std::deque<PickleValue>& values,
                std::deque<std::string>& texts)
      : PickleStack(bytes, file, values), texts_(texts) {}

  const PickleValue* run() {
    for (;;) {
      const std::uint8_t opcode = *take(1);
      if (opcode == '.') return pop();
      if (!run_plain(opcode) && !run_text(opcode) && !run_stack(opcode) && !run_container(opcode) &&
          !run_call(opcode))
        fail("with opcode ", static_cast<int>(opcode), " at byte ", at() - 1,
             ", which checkpoints have no use for");
    }
  }

 private:
  bool run_plain(std::uint8_t opcode) {
    switch (opcode) {
      case 0x80:
        return take(1), true;  // PROTO
      case 0x95:
        return take(8), true;  // FRAME
      case 'N':
        return push(make(Kind::kNone)), true;
      case 0x88:
        return push_integer(1, Kind::kBool), true;
      case 0x89:
        return push_integer(0, Kind::kBool), true;
      case 'J':
        return push_integer(static_cast<std::int32_t>(take_number(4))), true;
      case 'K':
        return push_integer(static_cast<std::int64_t>(take_number(1))), true;
      case 'M':
        return push_integer(static_cast<std::int64_t>(take_number(2))), true;
      case 'I':
        return push_line_integer(), true;
      case 'L':
        return push_line_integer(), true;
      case 'F': {
        PickleValue& value = make(Kind::kReal);
        value.real = std::strtod(std::string(take_line()).c_str(), nullptr);
        return push(value), true;
      }
      case 'G':
        return push_real(), true;
      case 0x8a:
        return push_long(take_number(1)), true;
      case 0x8b:
        return push_long(take_number(4)), true;
      default:
        return false;
    }
  }

  bool run_text(std::uint8_t opcode) {
    switch (opcode) {
      case 'T':
      case 'X':
      case 'B':
        return push_text(take_bytes(take_number(4))), true;
      case 'U':
      case 'C':
      case 0x8c:
        return push_text(take_bytes(take_number(1))), true;
      case 0x8d:
      case 0x8e:
        return push_text(take_bytes(take_number(8))), true;
      case 'V':
      case 'S':
        return push_text(take_line()), true;
      default:
        return false;
    }
  }

  bool run_stack(std::uint8_t opcode) {
    switch (opcode) {
      case '(':
        return mark(), true;
      case '0':
        return pop(), true;
      case '1':
        return pop_to_mark(), true;
      case '2':
        return push_again(top()), true;
      case 'p':
        return memorize(line_number()), true;
      case 'q':
        return memorize(take_number(1)), true;
      case 'r':
        return memorize(take_number(4)), true;
      case 0x94:
        return memorize(memorized()), true;
      case 'g':
        return recall(line_number()), true;
      case 'h':
        return recall(take_number(1)), true;
      case 'j':
        return recall(take_number(4)), true;
      default:
        return false;
    }
  }

  void push_items(Kind kind, std::vector<const PickleValue*> items) {
    PickleValue& value = make(kind);
    value.items = std::move(items);
    push(value);
  }

  void push_tuple(std::size_t count) {
    std::vector<const PickleValue*> items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    push_items(Kind::kList, std::move(items));
  }

  // Objects that do nothing also keep nothing.
  void append(const std::vector<const PickleValue*>& items, Kind kind) {
    PickleValue* const target = top();
    if (kind == Kind::kDict && items.size() % 2 != 0) fail("with a key that has no value, at byte ", at());
    if (target->kind == kind)
      target->items.insert(target->items.end(), items.begin(), items.end());
    else if (target->kind != Kind::kObject)
      fail("that fills what is no list or dictionary, at byte ", at());
  }

  std::vector<const PickleValue*> pop_two() {
    const PickleValue* const last = pop();
    const PickleValue* const first = pop();
    count_references(2);
    return {first, last};
  }

  bool run_container(std::uint8_t opcode) {
    switch (opcode) {
      case '}':
        return push(make(Kind::kDict)), true;
      case ']':
      case ')':
      case 0x8f:
        return push(make(Kind::kList)), true;
      case 'd': {
        auto items = pop_to_mark();
        if (items.size() % 2 != 0) fail("with a key that has no value, at byte ", at());
        return push_items(Kind::kDict, std::move(items)), true;
      }
      case 'l':
      case 't':
      case 0x91:
        return push_items(Kind::kList, pop_to_mark()), true;
      case 0x85:
        return push_tuple(1), true;
      case 0x86:
        return push_tuple(2), true;
      case 0x87:
        return push_tuple(3), true;
      case 'a': {
        const PickleValue* const item = pop();
        count_references(1);
        return append({item}, Kind::kList), true;
      }
      case 'e':
      case 0x90:
        return append(pop_to_mark(), Kind::kList), true;
      case 's':
        return append(pop_two(), Kind::kDict), true;
      case 'u':
        return append(pop_to_mark(), Kind::kDict), true;
      default:
        return false;
    }
  }

  void push_global(std::string_view module, std::string_view name) {
    if (module.size() + name.size() > kLongestName)
      fail("with a class whose name is ", module.size() + name.size(), " bytes long");
    const std::string& full = texts_.emplace_back(concat(module, ".", name));
    if (!is_checkpoint_global(full))
      fail("that names ", full.substr(0, 100),
           ", which is no part of a checkpoint: in other programs such a file can run code; ",
           "get it as safetensors");
    PickleValue& value = make(Kind::kGlobal);
    value.text = full;
    push(value);
  }

  void push_stack_global() {
    const PickleValue* const name = pop();
    const PickleValue* const module = pop();
    if (!name->is(Kind::kText) || !module->is(Kind::kText))
      fail("with a class that has no name, at byte ", at());
    push_global(module->text, name->text);
  }

  // Dictionaries by another name are read as such.
  void call(const PickleValue* callee, const PickleValue* arguments) {
    const std::string_view name = callee->text;
    if (!callee->is(Kind::kGlobal) || !arguments->is(Kind::kList))
      fail("that calls what is no class, at byte ", at());
    if (name != "collections.OrderedDict" && name != "collections.defaultdict") {
      PickleValue& object = make(Kind::kObject);
      object.text = name;
      object.items = arguments->items;
      count_references(object.items.size());
      push(object);
      return;
    }
    PickleValue& dict = make(Kind::kDict);
    if (arguments->items.size() == 1 && arguments->items[0]->is(Kind::kList)) {
      count_references(2 * arguments->items[0]->items.size());  // looked at, whatever they are
      for (const PickleValue* pair : arguments->items[0]->items)
        if (pair->is(Kind::kList) && pair->items.size() == 2)
          dict.items.insert(dict.items.end(), pair->items.begin(), pair->items.end());
    }
    push(dict);
  }

  // The state of an object that does nothing is of no use; but a ParameterDict is a dictionary by its state.
  void build(PickleValue& object, const PickleValue& state) {
    if (!object.is(Kind::kObject) || object.text != "torch.nn.modules.container.ParameterDict") return;
    count_references(state.items.size());  // looked at, whatever they are
    const PickleValue* const parameters = state.at("_parameters");
    if (!parameters || !parameters->is(Kind::kDict)) return;
    count_references(parameters->items.size());
    object.kind = Kind::kDict;
    object.items = parameters->items;
  }

  bool run_call(std::uint8_t opcode) {
    switch (opcode) {
      case 'c': {
        const std::string_view module = take_line(), name = take_line();
        return push_global(module, name), true;
      }
      case 0x93:
        return push_stack_global(), true;
      case 0x92:
        pop();
        [[fallthrough]];  // NEWOBJ_EX: keywords first
      case 'R':
      case 0x81: {
        const PickleValue* const arguments = pop();
        const PickleValue* const callee = pop();
        return call(callee, arguments), true;
      }
      case 'b': {
        const PickleValue* const state = pop();
        return build(*top(), *state), true;
      }
      case 'Q':
        return push_items(Kind::kPersistent, {pop()}), true;
      default:
        return false;
    }
  }

  std::deque<std::string>& texts_;
};

}  // namespace

const PickleValue* PickleValue::at(std::string_view key) const {
  if (kind != Kind::kDict) return nullptr;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2)
    if (items[i]->is(Kind::kText) && items[i]->text == key) return items[i + 1];
  return nullptr;
}

Pickle::Pickle(std::span<const std::uint8_t> bytes, const std::string& file) {
  root_ = PickleMachine(bytes, file, values_, texts_).run();
}

}  // namespace sdgen
