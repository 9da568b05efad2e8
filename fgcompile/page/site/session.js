/** The artifact in ONNX Runtime Web: on WebGPU where there is an adapter, else in WebAssembly. */

/**
 * Loads an artifact into ONNX Runtime Web and runs it once, since the first run is slower than the others.
 *
 * `prepare` is given the runtime's session and `Tensor`, runs it, and returns the function that explains. Returns
 * `{ backend, explain }`: where it runs, in words, and that function.
 */
export async function openSession(artifact, prepare) {
  let failure = "";
  if (await navigator.gpu?.requestAdapter()) {
    try {
      return await open(artifact, prepare, await import("onnxruntime-web/webgpu"), "webgpu", "WebGPU");
    } catch (error) {
      failure = `, since WebGPU failed (${error.message})`;
    }
  }
  const runtime = await import("onnxruntime-web/wasm");
  const threads = crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  runtime.env.wasm.numThreads = threads;
  runtime.env.wasm.proxy = true; // in a worker, so that the page does not freeze meanwhile
  const backend = `WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}${failure}`;
  return open(artifact, prepare, runtime, "wasm", backend);
}

async function open(artifact, prepare, runtime, provider, backend) {
  runtime.env.logLevel = "error";
  const session = await runtime.InferenceSession.create(artifact.bytes, { executionProviders: [provider] });
  return { backend, explain: await prepare(session, runtime.Tensor) };
}
