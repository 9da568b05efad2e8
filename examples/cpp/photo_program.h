// What the two programs share: the command line, the photo that is read, and what is written of its explanation.

#pragma once

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iostream>
#include <limits>
#include <regex>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

// An axis of the logits behind the batch.
struct Axis {
  std::string name;
  std::int64_t size;
};

// The shape of targets, int64 (1[, T][, r]): r indices where there are several axes, T targets where a call explains
// several; `targets` is 0 where it explains one, and kAnyNumber where the caller decides.
constexpr std::int64_t kAnyNumber = -1;

// An artifact that takes one raw photo, uint8 (1, height, width, channels), and a target.
struct Artifact {
  std::string path;
  std::int64_t height, width, channels, targets;
  std::vector<Axis> axes;
  bool on_demand;
};

// Logits (1, d_1, ..., d_r) and maps (1, [T,] 1, height, width).
struct Explanation {
  at::Tensor logits, saliency;
};

using Explain = std::function<Explanation(const Artifact&, const at::Tensor& x, const at::Tensor& target)>;

// Wrong input, in one line.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline const std::string SAYS_MORE = "`fgcompile inspect` says more";

// The metadata that fgcompile wrote into an artifact, a zip archive, of either format.
inline std::string read_metadata(const std::string& path) {
  if (!std::ifstream(path, std::ios::binary).read(std::vector<char>(1).data(), 1)) {
    throw InputError(path + ": cannot be read: give the path of an artifact");
  }
  try {
    caffe2::serialize::PyTorchStreamReader archive(path);
    const auto [data, size] = archive.getRecord("extra/fgcompile.json");
    return std::string(static_cast<const char*>(data.get()), size);
  } catch (const c10::Error&) {
    throw InputError(path + ": is damaged, or neither TorchScript nor a package of fgcompile's: " + SAYS_MORE);
  }
}

// The parts of a text between separators: "2,40" are "2" and "40".
inline std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts{""};
  for (const char character : text) {
    if (character == separator) {
      parts.emplace_back();
    } else {
      parts.back() += character;
    }
  }
  return parts;
}

// The axes that a target indexes; `sizes` are those of the logits, as ",21,224,224". Older artifacts name no axes.
inline std::vector<Axis> read_axes(const std::string& metadata, const std::string& sizes) {
  static const std::regex named(R"re("target_axes":\[([^\]]*)\])re"), axis(R"re("name":"([^"]*)","size":(\d+))re");
  std::vector<Axis> axes;
  if (std::smatch found; std::regex_search(metadata, found, named)) {
    const std::string text = found[1];
    for (std::sregex_iterator each(text.begin(), text.end(), axis), end; each != end; ++each) {
      axes.push_back({(*each)[1], std::stoll((*each)[2])});
    }
    return axes;
  }
  for (const std::string& size : split(sizes.substr(1), ',')) {
    axes.push_back({"class", std::stoll(size)});
  }
  return axes;
}

// How many targets a call explains, by the sizes of `target` behind the batch, as ",5,3": (T, r), (T) or (r).
inline std::int64_t read_count(const std::string& sizes, std::size_t rank) {
  const std::vector<std::string> parts = split(sizes, ',');  // the first is empty
  if (parts.size() - 1 == (rank > 1 ? 1 : 0)) {
    return 0;
  }
  return parts[1] == "\"targets\"" ? kAnyNumber : std::stoll(parts[1]);
}

// The artifact, as far as this program needs to know it. fgcompile writes the metadata as JSON with sorted keys and no
// spaces, so that one expression finds what a JSON library would.
inline Artifact read_artifact(const std::string& path, const std::string& format) {
  static const std::regex inputs(
      R"re("inputs":\[\{"dtype":"uint8","name":"[^"]+","shape":\["batch",(\d+),(\d+),([13])\]\},)re"
      R"re(\{"dtype":"int64","name":"target","shape":\["batch"((?:,\d+|,"targets")*)\]\})re"
      R"re((,\{"dtype":"bool","name":"explain","shape":\[\]\})?\])re");
  static const std::regex outputs(
      R"re("outputs":\[\{"dtype":"float\d+","name":"logits","shape":\["batch"((?:,\d+)+)\]\},)re"
      R"re(\{"dtype":"float\d+","name":"saliency",)re");

  const std::string metadata = read_metadata(path);
  const auto says = [&](const std::string& text) { return metadata.find(text) != std::string::npos; };
  if (!says("\"format\":\"" + format + "\"")) {
    throw InputError(path + ": is not of the format " + format + ": use the other program");
  }
  if (says("\"device\":\"cuda")) {
    throw InputError(path + ": is compiled for a graphics card, this program runs on the processor");
  }
  std::smatch in, out;
  if (!std::regex_search(metadata, in, inputs) || !std::regex_search(metadata, out, outputs)) {
    throw InputError(path + ": does not take one photo of fixed size and a target, and return logits and saliency: " +
                     "compile it with --mean and --std");
  }
  const std::vector<Axis> axes = read_axes(metadata, out[1]);
  return {path, std::stoll(in[1]), std::stoll(in[2]), std::stoll(in[3]), read_count(in[4], axes.size()), axes,
          in[5].matched};
}

// A photo as binary PPM (P6, colour) or PGM (P5, grey), of the artifact's size.
inline at::Tensor read_photo(const std::string& path, const Artifact& artifact) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw InputError(path + ": cannot be read: give the path of a photo");
  }
  const bool colour = artifact.channels == 3;
  std::string magic(2, ' ');
  file.read(magic.data(), 2);
  const auto next_number = [&] {
    while ((file >> std::ws).peek() == '#') {  // a comment
      file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    std::int64_t number = 0;
    file >> number;
    return number;
  };
  const std::int64_t width = next_number(), height = next_number(), brightest = next_number();
  if (file.get(); !file || magic != (colour ? "P6" : "P5") || brightest != 255) {
    throw InputError(path + ": is not a binary " + (colour ? "PPM (P6)" : "PGM (P5)") + " with 8 bits a channel");
  }
  if (height != artifact.height || width != artifact.width) {
    throw InputError(path + ": is " + std::to_string(width) + " x " + std::to_string(height) + ", the artifact takes " +
                     std::to_string(artifact.width) + " x " + std::to_string(artifact.height) + ": crop it to that");
  }
  at::Tensor photo = at::empty({1, height, width, artifact.channels}, at::kByte);
  if (!file.read(static_cast<char*>(photo.data_ptr()), photo.numel())) {
    throw InputError(path + ": is cut off: write it again");
  }
  return photo;
}

// One index; `text` is all that was given.
inline std::int64_t read_index(const std::string& part, const std::string& text) {
  std::int64_t index = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
  if (error != std::errc() || end != part.data() + part.size()) {
    throw InputError("target " + text +
                     " is none: give a number, an index for each axis as 2,40,31, or several as 3;5;7");
  }
  return index;
}

// Refuses indices that no element of the logits has. −1 in the last place is the largest there, in all that of all.
inline void check_target(const std::vector<std::int64_t>& target, const std::string& text, const Artifact& artifact) {
  const auto& axes = artifact.axes;
  if (target.size() != axes.size()) {
    std::string names;
    for (const Axis& axis : axes) {
      names += (names.empty() ? "" : ",") + axis.name;
    }
    throw InputError("target " + text + " is none: give " +
                     (axes.size() == 1 ? "the number of a class" : "the indices " + names));
  }
  if (std::all_of(target.begin(), target.end(), [](std::int64_t index) { return index == -1; })) {
    return;
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const bool last = i + 1 == axes.size();
    if (target[i] >= (last ? -1 : 0) && target[i] < axes[i].size) {
      continue;
    }
    const std::string range = "from 0 to " + std::to_string(axes[i].size - 1);
    const std::string rest = last ? "in the last place -1 for the largest there" : "-1 alone for the largest of all";
    throw InputError("target " + text + " is out of range: give " +
                     (axes.size() == 1 ? "a class " + range + ", or -1 for the predicted one"
                                       : "as " + axes[i].name + " an index " + range + ", or " + rest));
  }
}

// The elements to explain, (T, r), of a text as "3", "2,40,31" or "3;5;7".
inline at::Tensor read_targets(const std::string& text, const Artifact& artifact) {
  const auto rank = static_cast<std::int64_t>(artifact.axes.size());
  const std::vector<std::string> parts = split(text, ';');
  std::vector<std::int64_t> indices;
  for (const std::string& part : parts) {
    std::vector<std::int64_t> target;
    for (const std::string& index : split(part, ',')) {
      target.push_back(read_index(index, text));
    }
    if (target == std::vector<std::int64_t>{-1}) {
      target.assign(rank, -1);
    }
    check_target(target, part, artifact);
    indices.insert(indices.end(), target.begin(), target.end());
  }
  const auto given = static_cast<std::int64_t>(parts.size());
  const std::int64_t wanted = artifact.targets == kAnyNumber ? given : std::max<std::int64_t>(artifact.targets, 1);
  if (given != wanted) {
    throw InputError("target: " + std::to_string(given) + " given, and a call of this artifact explains " +
                     std::to_string(wanted));
  }
  return at::tensor(indices, at::kLong).reshape({given, rank});
}

// The text where none is given: the largest, as often as a call explains one.
inline std::string largest(const Artifact& artifact) {
  std::string text = "-1";
  for (std::int64_t i = 1; i < artifact.targets; ++i) {
    text += ";-1";
  }
  return text;
}

// Targets (T, r) as the artifact takes them, (1[, T][, r]).
inline at::Tensor shape_targets(const at::Tensor& targets, const Artifact& artifact) {
  std::vector<std::int64_t> shape{1};
  if (artifact.targets != 0) {
    shape.push_back(targets.size(0));
  }
  if (artifact.axes.size() > 1) {
    shape.push_back(targets.size(1));
  }
  return targets.reshape(shape);
}

// A target with the largest in place of −1.
inline std::vector<std::int64_t> resolve(const at::Tensor& target, const at::Tensor& logits) {
  std::vector<std::int64_t> indices(target.data_ptr<std::int64_t>(), target.data_ptr<std::int64_t>() + target.numel());
  if (indices.back() != -1) {
    return indices;
  }
  if (indices.front() != -1) {  // the largest there
    at::Tensor there = logits[0];
    for (std::size_t i = 0; i + 1 < indices.size(); ++i) {
      there = there[indices[i]];
    }
    indices.back() = there.argmax().item<std::int64_t>();
    return indices;
  }
  auto place = logits[0].argmax().item<std::int64_t>();
  for (std::size_t i = indices.size(); i-- > 0;) {
    const std::int64_t size = logits.size(static_cast<std::int64_t>(i) + 1);
    indices[i] = place % size;
    place /= size;
  }
  return indices;
}

inline void write_file(const std::string& path, const std::string& header, const char* data, std::int64_t size) {
  std::ofstream file(path, std::ios::binary);
  if (!(file << header).write(data, size).flush()) {
    throw InputError(path + ": cannot be written: run the program in a folder of yours");
  }
}

// The maps as a picture, side by side, from the minimum of them all, black, to the maximum, white.
inline void write_picture(const std::string& path, const at::Tensor& saliency) {
  const std::int64_t height = saliency.size(-2), width = saliency.size(-1);
  const at::Tensor heat = saliency.reshape({-1, height, width}).transpose(0, 1).reshape({height, -1}) - saliency.min();
  const at::Tensor picture = (heat / heat.max().clamp_min(1e-12) * 255).to(at::kByte).contiguous();
  const std::string size = std::to_string(picture.size(1)) + " " + std::to_string(picture.size(0));
  write_file(path, "P5\n" + size + "\n255\n", static_cast<const char*>(picture.data_ptr()), picture.numel());
}

// Logits and map as they are: in Python, `logits, saliency = torch.load(path)`.
inline void write_tensors(const std::string& path, const Explanation& explanation) {
  const std::vector<char> bytes = torch::jit::pickle_save(std::make_tuple(explanation.logits, explanation.saliency));
  write_file(path, "", bytes.data(), bytes.size());
}

// One line: what it is, the element, and its logit.
inline void print_score(const char* what, const Artifact& artifact, const at::Tensor& logits,
                        const at::Tensor& target) {
  at::Tensor score = logits[0];
  std::string element;
  const std::vector<std::int64_t> indices = resolve(target, logits);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    element += " " + artifact.axes[i].name + " " + std::to_string(indices[i]) + ",";
    score = score[indices[i]];
  }
  std::cout << what << element << " score " << score.item<float>() << "\n";
}

// The program around `explain`. Exit status: 0 done, 2 wrong input.
inline int run(int argc, char** argv, const std::string& format, const Explain& explain) {
  try {
    if (argc < 3 || argc > 4) {
      throw InputError("usage: " + std::string(argv[0]) + " ARTIFACT PHOTO [TARGET]");
    }
    const Artifact artifact = read_artifact(argv[1], format);
    const at::Tensor targets = read_targets(argc == 4 ? argv[3] : largest(artifact), artifact);
    const at::Tensor photo = read_photo(argv[2], artifact);

    const c10::InferenceMode without_autograd;
    const Explanation explanation = explain(artifact, photo, shape_targets(targets, artifact));
    write_picture("saliency.pgm", explanation.saliency);
    write_tensors("explanation.pt", explanation);
    print_score("predicted", artifact, explanation.logits, at::full_like(targets[0], -1));
    for (const at::Tensor& target : targets.unbind()) {
      print_score("explained", artifact, explanation.logits, target);
    }
    const char* written = targets.size(0) == 1 ? "the map is in" : "the maps are side by side in";
    std::cout << written << " saliency.pgm, logits and map in explanation.pt\n";
    return 0;
  } catch (const InputError& error) {
    std::cerr << error.what() << "\n";
  } catch (const std::exception& error) {  // libtorch's, whose further lines are a trace
    const std::string what = error.what(), reason = what.substr(0, what.find('\n'));
    std::cerr << argv[1] << ": libtorch cannot run it (" << reason << "): " << SAYS_MORE << "\n";
  }
  return 2;
}
