#include "weights/pickle.h"

#include "weights/pickle_globals.h"
#include "weights/pickle_stack.h"

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
        take(1);
        return true;  // PROTO
      case 0x95:
        take(8);
        return true;  // FRAME
      case 'N':
        push(make(Kind::kNone));
        return true;
      case 0x88:
        push_integer(1, Kind::kBool);
        return true;
      case 0x89:
        push_integer(0, Kind::kBool);
        return true;
      case 'J':
        push_integer(static_cast<std::int32_t>(take_number(4)));
        return true;
      case 'K':
        push_integer(static_cast<std::int64_t>(take_number(1)));
        return true;
      case 'M':
        push_integer(static_cast<std::int64_t>(take_number(2)));
        return true;
      case 'I':
        push_line_integer();
        return true;
      case 'L':
        push_line_integer();
        return true;
      case 'F': {
        PickleValue& value = make(Kind::kReal);
        value.real = std::strtod(std::string(take_line()).c_str(), nullptr);
        push(value);
        return true;
      }
      case 'G':
        push_real();
        return true;
      case 0x8a:
        push_long(take_number(1));
        return true;
      case 0x8b:
        push_long(take_number(4));
        return true;
      default:
        return false;
    }
  }

  bool run_text(std::uint8_t opcode) {
    switch (opcode) {
      case 'T':
      case 'X':
      case 'B':
        push_text(take_bytes(take_number(4)));
        return true;
      case 'U':
      case 'C':
      case 0x8c:
        push_text(take_bytes(take_number(1)));
        return true;
      case 0x8d:
      case 0x8e:
        push_text(take_bytes(take_number(8)));
        return true;
      case 'V':
      case 'S':
        push_text(take_line());
        return true;
      default:
        return false;
    }
  }

  bool run_stack(std::uint8_t opcode) {
    switch (opcode) {
      case '(':
        mark();
        return true;
      case '0':
        pop();
        return true;
      case '1':
        pop_to_mark();
        return true;
      case '2':
        push_again(top());
        return true;
      case 'p':
        memorize(line_number());
        return true;
      case 'q':
        memorize(take_number(1));
        return true;
      case 'r':
        memorize(take_number(4));
        return true;
      case 0x94:
        memorize(memorized());
        return true;
      case 'g':
        recall(line_number());
        return true;
      case 'h':
        recall(take_number(1));
        return true;
      case 'j':
        recall(take_number(4));
        return true;
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
        push(make(Kind::kDict));
        return true;
      case ']':
      case ')':
      case 0x8f:
        push(make(Kind::kList));
        return true;
      case 'd': {
        auto items = pop_to_mark();
        if (items.size() % 2 != 0) fail("with a key that has no value, at byte ", at());
        push_items(Kind::kDict, std::move(items));
        return true;
      }
      case 'l':
      case 't':
      case 0x91:
        push_items(Kind::kList, pop_to_mark());
        return true;
      case 0x85:
        push_tuple(1);
        return true;
      case 0x86:
        push_tuple(2);
        return true;
      case 0x87:
        push_tuple(3);
        return true;
      case 'a': {
        const PickleValue* const item = pop();
        count_references(1);
        append({item}, Kind::kList);
        return true;
      }
      case 'e':
      case 0x90:
        append(pop_to_mark(), Kind::kList);
        return true;
      case 's':
        append(pop_two(), Kind::kDict);
        return true;
      case 'u':
        append(pop_to_mark(), Kind::kDict);
        return true;
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
    if (arguments->items.size() == 1 && arguments->items[0]->is(Kind::kList))
      for (const PickleValue* pair : arguments->items[0]->items)
        if (pair->is(Kind::kList) && pair->items.size() == 2) {
          count_references(2);
          dict.items.insert(dict.items.end(), pair->items.begin(), pair->items.end());
        }
    push(dict);
  }

  bool run_call(std::uint8_t opcode) {
    switch (opcode) {
      case 'c': {
        const std::string_view module = take_line(), name = take_line();
        push_global(module, name);
        return true;
      }
      case 0x93:
        push_stack_global();
        return true;
      case 0x92:
        pop();
        [[fallthrough]];  // NEWOBJ_EX: keywords first
      case 'R':
      case 0x81: {
        const PickleValue* const arguments = pop();
        const PickleValue* const callee = pop();
        call(callee, arguments);
        return true;
      }
      case 'b':
        pop();
        top();
        return true;  // BUILD: the state of an object that does nothing
      case 'Q':
        push_items(Kind::kPersistent, {pop()});
        return true;
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
