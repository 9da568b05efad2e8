// Explains a photo by an AOTInductor package, with libtorch alone:
//
//     explain_package ARTIFACT.pt2 PHOTO.ppm [TARGET]

#include "photo_program.h"

#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

using torch::inductor::AOTIModelPackageLoader;

int main(int argc, char** argv) {
  return run(argc, argv, "pt2", [](const Artifact& artifact, const at::Tensor& x, const at::Tensor& target) {
    if (!artifact.on_demand) {
      const auto outputs = AOTIModelPackageLoader(artifact.path, "model").run({x, target});
      return Explanation{outputs[0], outputs[1]};
    }
    // One model predicts; the other takes what the first hands on, and the inputs.
    auto handed_on = AOTIModelPackageLoader(artifact.path, "predict").run({x, target});
    const at::Tensor logits = handed_on[0];
    std::vector<at::Tensor> inputs;
    for (std::size_t i = 1; i < handed_on.size(); ++i) {
      inputs.push_back(handed_on[i].contiguous());
    }
    inputs.insert(inputs.end(), {x, target});
    return Explanation{logits, AOTIModelPackageLoader(artifact.path, "explain").run(inputs)[0]};
  });
}
