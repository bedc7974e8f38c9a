#include "text/tokenizers/tokenizer_settings.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>

namespace sdgen {
namespace {

// The order in which transformers adds its named tokens (SPECIAL_TOKENS_ATTRIBUTES).
constexpr const char* kNamedTokens[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};

constexpr std::size_t kMaxTokens = 100'000, kLongestToken = 1000;  // added ones; bytes

int checked_id(const std::filesystem::path& path, const std::string& key, const Json& value) {
  const std::int64_t id = value.is_number_integer() ? value.get<std::int64_t>() : -1;
  if (id < 0 || id >= std::numeric_limits<int>::max())
    fail_input(path.string(), ": ", key, ": ", shown(value), " is not a token id");
  return static_cast<int>(id);
}

bool flag(const std::filesystem::path& path, const std::string& key, const Json& token, const char* name,
          bool fallback) {
  const auto found = token.find(name);
  if (found == token.end() || found->is_null()) return fallback;
  if (!found->is_boolean()) fail_input(path.string(), ": ", key, ".", name, ": expected true or false");
  return found->get<bool>();
}

// A token is a string, or an object with the fields of AddedToken. transformers makes strings special tokens,
// and special tokens are looked for in the raw text unless their own flag says otherwise.
AddedToken parse_token(const std::filesystem::path& path, const std::string& key, const Json& value,
                       bool special) {
  AddedToken token;
  const Json* content = value.is_object() && value.contains("content") ? &value["content"] : &value;
  if (!content->is_string())
    fail_input(path.string(), ": ", key, ": expected a token (a string, or an object with a content), got ",
               shown(value));
  token.content = content->get<std::string>();
  if (!value.is_object()) return token;
  special = flag(path, key, value, "special", special);
  token.single_word = flag(path, key, value, "single_word", false);
  token.lstrip = flag(path, key, value, "lstrip", false);
  token.rstrip = flag(path, key, value, "rstrip", false);
  token.normalized = flag(path, key, value, "normalized", !special);
  if (value.contains("id")) token.id = checked_id(path, key + ".id", value["id"]);
  return token;
}

// A key of tokenizer_config.json or, where it overrides that, of special_tokens_map.json.
struct Sources {
  std::optional<Config> config;
  std::optional<Config> special_map;

  const Config* of(const std::string& key) const {
    if (special_map && special_map->has(key)) return &*special_map;
    return config && config->has(key) ? &*config : nullptr;
  }
  bool is_special_map(const Config* source) const { return special_map && source == &*special_map; }
};

std::optional<Config> read_if_there(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  return Config::read(path);
}

// {"49406": {"content": ...}, ...}
void read_added_decoder(const Config& config, std::vector<AddedToken>& added) {
  const Json& tokens = config.json.at("added_tokens_decoder");
  if (!tokens.is_object()) fail_input(config.path.string(), ": added_tokens_decoder: expected an object");
  for (const auto& [id, value] : tokens.items()) {
    const std::string key = "added_tokens_decoder." + id;
    const bool digits =
        !id.empty() && id.size() <= 10 && id.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) fail_input(config.path.string(), ": ", key, ": the key is not a token id");
    AddedToken token = parse_token(config.path, key, value, false);
    token.id = checked_id(config.path, key, Json(std::stoll(id)));
    added.push_back(std::move(token));
  }
}

// {"<token>": 49408, ...}
void read_added_json(const Config& file, const std::set<std::string>& special,
                     std::vector<AddedToken>& added) {
  for (const auto& [content, id] : file.json.items()) {
    AddedToken token{content, checked_id(file.path, content, id)};
    token.normalized = !special.contains(content);
    added.push_back(std::move(token));
  }
}

void read_tokenizer_json(const Config& file, std::vector<AddedToken>& added) {
  if (!file.has("added_tokens")) return;
  const Json& tokens = file.json.at("added_tokens");
  if (!tokens.is_array()) fail_input(file.path.string(), ": added_tokens: expected a list");
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    added.push_back(parse_token(file.path, concat("added_tokens[", i, "]"), tokens[i], false));
    if (!added.back().id) fail_input(file.path.string(), ": added_tokens[", i, "]: has no id");
  }
}

void read_lengths(const std::optional<Config>& config, TokenizerSettings& settings) {
  if (!config) return;
  const auto length = config->value<double>("model_max_length", kLongestModel + 1);
  if (!(length >= 2))
    fail_input(settings.path.string(), ": model_max_length: expected at least 2, got ", length);
  if (length <= kLongestModel) settings.model_max_length = static_cast<int>(length);
  for (const std::string key : {"padding_side", "truncation_side"}) {
    const auto side = config->value<std::string>(key, "right");
    if (side != "right")
      fail_input(settings.path.string(), ": ", key, ": only right is supported, got ", quoted_token(side));
  }
}

// The files that may list added tokens where tokenizer_config.json does not.
void list_elsewhere(const std::filesystem::path& folder, const Config* tokenizer_json,
                    TokenizerSettings& settings, std::vector<AddedToken>& listed) {
  std::set<std::string> special;
  for (const auto& [key, token] : settings.named) special.insert(token.content);
  if (const auto file = read_if_there(folder / "added_tokens.json")) {
    settings.added_path = file->path;
    read_added_json(*file, special, listed);
  }
  if (tokenizer_json == nullptr) return;
  settings.added_path = tokenizer_json->path;
  read_tokenizer_json(*tokenizer_json, listed);
}

const AddedToken* find_token(const std::vector<AddedToken>& tokens, const std::string& content) {
  const auto found =
      std::find_if(tokens.rbegin(), tokens.rend(), [&](const auto& t) { return t.content == content; });
  return found == tokens.rend() ? nullptr : &*found;
}

void read_named(const Sources& sources, const std::map<std::string, std::string>& defaults,
                TokenizerSettings& settings) {
  for (const char* key : kNamedTokens) {
    const Config* source = sources.of(key);
    settings.named_in[key] = source ? source->path : settings.path;
    if (source)
      settings.named[key] =
          parse_token(source->path, key, source->json.at(key), sources.is_special_map(source));
    else if (defaults.contains(key))
      settings.named[key] = AddedToken{defaults.at(key), std::nullopt};
  }
}

// Tokens listed by id come first; a token that is also named keeps its flags from that list. Among the others
// the last of several mentions sets the flags.
void collect_added(const Sources& sources, std::vector<AddedToken> listed, TokenizerSettings& settings) {
  std::stable_sort(listed.begin(), listed.end(), [](const auto& a, const auto& b) { return *a.id < *b.id; });
  settings.added = listed;
  for (const char* key : kNamedTokens) {
    const auto token = settings.named.find(key);
    if (token == settings.named.end()) continue;
    if (const AddedToken* known = find_token(listed, token->second.content))
      token->second = *known;
    else
      settings.added.push_back(token->second);
  }
  for (const char* key : {"extra_special_tokens", "additional_special_tokens"}) {
    const Config* source = sources.of(key);
    if (source == nullptr || !source->json.at(key).is_array()) continue;
    std::set<std::string> known;
    for (const AddedToken& token : settings.added) known.insert(token.content);
    for (const Json& value : source->json.at(key)) {
      AddedToken token = parse_token(source->path, key, value, true);
      if (known.insert(token.content).second) settings.added.push_back(std::move(token));
    }
    break;
  }
  for (const AddedToken& token : settings.added)
    if (token.content.size() > kLongestToken)
      fail_input(settings.added_path.string(), ": added token ", quoted_token(token.content), " has ",
                 token.content.size(), " bytes (limit ", kLongestToken, ")");
  if (settings.added.size() > kMaxTokens)
    fail_input(settings.added_path.string(), ": ", settings.added.size(), " added tokens (limit ", kMaxTokens,
               ")");
}

}  // namespace

TokenizerSettings TokenizerSettings::read(const std::filesystem::path& folder, const Config* tokenizer_json,
                                          const std::map<std::string, std::string>& defaults) {
  TokenizerSettings settings;
  settings.path = folder / "tokenizer_config.json";
  Sources sources{read_if_there(settings.path), std::nullopt};
  read_lengths(sources.config, settings);
  std::vector<AddedToken> listed;
  settings.added_path = settings.path;
  const bool lists_itself = sources.config && sources.config->has("added_tokens_decoder");
  if (lists_itself)
    read_added_decoder(*sources.config, listed);
  else
    sources.special_map = read_if_there(folder / "special_tokens_map.json");
  read_named(sources, defaults, settings);
  if (!lists_itself) list_elsewhere(folder, tokenizer_json, settings, listed);
  collect_added(sources, std::move(listed), settings);
  return settings;
}

std::string quoted_token(const std::string& token) {
  const std::string quoted = Json(token).dump(-1, ' ', false, Json::error_handler_t::replace);
  return quoted.size() <= 80 ? quoted : quoted.substr(0, 76) + "...\"";
}

std::vector<AddedToken> resolve_added_tokens(const TokenizerSettings& settings, const TokenId& token_id,
                                             const std::function<bool(int)>& id_taken, int next_free_id) {
  std::vector<AddedToken> resolved;
  std::map<std::string, std::size_t> places;  // in `resolved`
  std::set<int> new_ids;
  for (const AddedToken& token : settings.added) {
    const auto [place, is_new] = places.emplace(token.content, resolved.size());
    if (!is_new) {
      const auto id = resolved[place->second].id;
      resolved[place->second] = token;
      resolved[place->second].id = id;
      continue;
    }
    resolved.push_back(token);
    std::optional<int>& id = resolved.back().id;
    if (const auto known = token_id(token.content)) {
      id = known;
      continue;
    }
    if (!id) id = next_free_id;
    if (id_taken(*id) || !new_ids.insert(*id).second)
      fail_input(settings.added_path.string(), ": added token ", quoted_token(token.content), " has the id ",
                 *id, ", which is another token's");
    next_free_id = std::max(next_free_id, *id + 1);
  }
  return resolved;
}

int special_token_id(const TokenizerSettings& settings, const std::string& key, const TokenId& token_id) {
  const AddedToken& token = settings.named.at(key);
  if (const auto id = token_id(token.content)) return *id;
  if (token.id) return *token.id;
  fail_input(settings.named_in.at(key).string(), ": ", key, ": ", quoted_token(token.content),
             " is not in the vocabulary");
}

}  // namespace sdgen
