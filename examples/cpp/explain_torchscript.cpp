// Explains a photo by a TorchScript artifact, with libtorch alone:
//
//     explain_torchscript ARTIFACT.pt PHOTO.ppm [TARGET]

#include "photo_program.h"

#include <torch/script.h>

int main(int argc, char** argv) {
  return run(argc, argv, "torchscript", [](const Artifact& artifact, const at::Tensor& x, const at::Tensor& target) {
    torch::jit::Module module = torch::jit::load(artifact.path, at::kCPU);
    std::vector<c10::IValue> inputs{x, target};
    if (artifact.on_demand) {
      inputs.emplace_back(at::scalar_tensor(true, at::kBool));  // false: the logits alone
    }
    const auto outputs = module.forward(inputs).toTuple();
    return Explanation{outputs->elements()[0].toTensor(), outputs->elements()[1].toTensor()};
  });
}
