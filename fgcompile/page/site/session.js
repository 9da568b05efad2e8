/** The artifact in ONNX Runtime Web: on WebGPU where there is an adapter, else in WebAssembly. */

import { makeExplain } from "./call.js";

/**
 * Loads an artifact into ONNX Runtime Web and runs it once, since the first run is slower than the others.
 *
 * Returns `{ backend, explain }`: where it runs, in words, and what `makeExplain` returns.
 */
export async function openSession(artifact) {
  let failure = "";
  if (await navigator.gpu?.requestAdapter()) {
    try {
      return await open(artifact, await import("onnxruntime-web/webgpu"), "webgpu", "WebGPU");
    } catch (error) {
      failure = `, since WebGPU failed (${error.message})`;
    }
  }
  const runtime = await import("onnxruntime-web/wasm");
  const threads = crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  runtime.env.wasm.numThreads = threads;
  runtime.env.wasm.proxy = true; // in a worker, so that the page does not freeze meanwhile
  const backend = `WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}${failure}`;
  return open(artifact, runtime, "wasm", backend);
}

async function open(artifact, runtime, provider, backend) {
  runtime.env.logLevel = "error";
  const session = await runtime.InferenceSession.create(artifact.bytes, { executionProviders: [provider] });
  const explain = makeExplain(artifact, session, runtime.Tensor);
  const [height, width, channels] = artifact.shape;
  await explain(new Uint8Array(height * width * channels));
  return { backend, explain };
}
