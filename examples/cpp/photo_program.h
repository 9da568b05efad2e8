// What the two programs share: the command line, the photo that is read, and what is written of its explanation.

#pragma once

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <charconv>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iostream>
#include <limits>
#include <regex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

// An artifact that takes one raw photo, uint8 (1, height, width, channels), and a class, int64 (1).
struct Artifact {
  std::string path;
  std::int64_t height, width, channels, classes;
  bool on_demand;
};

// Logits (1, classes) and map (1, 1, height, width).
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

// The artifact, as far as this program needs to know it. fgcompile writes the metadata as JSON with sorted keys and no
// spaces, so that one expression finds what a JSON library would.
inline Artifact read_artifact(const std::string& path, const std::string& format) {
  static const std::regex inputs(
      R"re("inputs":\[\{"dtype":"uint8","name":"[^"]+","shape":\["batch",(\d+),(\d+),([13])\]\},)re"
      R"re(\{"dtype":"int64","name":"target","shape":\["batch"\]\})re"
      R"re((,\{"dtype":"bool","name":"explain","shape":\[\]\})?\])re");
  static const std::regex outputs(
      R"re("outputs":\[\{"dtype":"float\d+","name":"logits","shape":\["batch",(\d+)\]\},)re"
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
    throw InputError(path + ": does not take one photo of fixed size and a class, and return logits and saliency: " +
                     "compile it with --mean and --std");
  }
  return {path, std::stoll(in[1]), std::stoll(in[2]), std::stoll(in[3]), std::stoll(out[1]), in[4].matched};
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

// The class to explain; −1 is the predicted one.
inline std::int64_t read_target(std::string_view text, const Artifact& artifact) {
  std::int64_t target = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), target);
  if (error != std::errc() || end != text.data() + text.size() || target < -1 || target >= artifact.classes) {
    throw InputError("the class is '" + std::string(text) + "': give one from 0 to " +
                     std::to_string(artifact.classes - 1) + ", or -1 for the predicted one");
  }
  return target;
}

inline void write_file(const std::string& path, const std::string& header, const char* data, std::int64_t size) {
  std::ofstream file(path, std::ios::binary);
  if (!(file << header).write(data, size).flush()) {
    throw InputError(path + ": cannot be written: run the program in a folder of yours");
  }
}

// The map as a picture, from its minimum, black, to its maximum, white.
inline void write_picture(const std::string& path, const at::Tensor& saliency) {
  const at::Tensor heat = saliency[0][0] - saliency.min();
  const at::Tensor picture = (heat / heat.max().clamp_min(1e-12) * 255).to(at::kByte).contiguous();
  const std::string size = std::to_string(picture.size(1)) + " " + std::to_string(picture.size(0));
  write_file(path, "P5\n" + size + "\n255\n", static_cast<const char*>(picture.data_ptr()), picture.numel());
}

// Logits and map as they are: in Python, `logits, saliency = torch.load(path)`.
inline void write_tensors(const std::string& path, const Explanation& explanation) {
  const std::vector<char> bytes = torch::jit::pickle_save(std::make_tuple(explanation.logits, explanation.saliency));
  write_file(path, "", bytes.data(), bytes.size());
}

inline void print_score(const char* what, const at::Tensor& logits, std::int64_t number) {
  std::cout << what << " class " << number << ", score " << logits[0][number].item<float>() << "\n";
}

// The program around `explain`. Exit status: 0 done, 2 wrong input.
inline int run(int argc, char** argv, const std::string& format, const Explain& explain) {
  try {
    if (argc < 3 || argc > 4) {
      throw InputError("usage: " + std::string(argv[0]) + " ARTIFACT PHOTO [CLASS]");
    }
    const Artifact artifact = read_artifact(argv[1], format);
    const std::int64_t target = read_target(argc == 4 ? argv[3] : "-1", artifact);
    const at::Tensor photo = read_photo(argv[2], artifact);

    const c10::InferenceMode without_autograd;
    const Explanation explanation = explain(artifact, photo, at::tensor({target}, at::kLong));
    write_picture("saliency.pgm", explanation.saliency);
    write_tensors("explanation.pt", explanation);
    const auto predicted = explanation.logits[0].argmax().item<std::int64_t>();
    print_score("predicted", explanation.logits, predicted);
    print_score("explained", explanation.logits, target == -1 ? predicted : target);
    std::cout << "the map is in saliency.pgm, logits and map in explanation.pt\n";
    return 0;
  } catch (const InputError& error) {
    std::cerr << error.what() << "\n";
  } catch (const std::exception& error) {  // libtorch's, whose further lines are a trace
    const std::string what = error.what(), reason = what.substr(0, what.find('\n'));
    std::cerr << argv[1] << ": libtorch cannot run it (" << reason << "): " << SAYS_MORE << "\n";
  }
  return 2;
}
