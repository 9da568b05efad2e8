/** One call of the artifact: logits and map, on WebGPU where there is an adapter, else in WebAssembly. */

/**
 * Loads an artifact into ONNX Runtime Web and runs it once, since the first run is slower than the others.
 *
 * Returns `{ backend, explain }`: where it runs, in words, and `explain(pixels, target)`; of the classes, −1 is the
 * predicted one.
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

async function open({ bytes, metadata, input, shape }, runtime, provider, backend) {
  runtime.env.logLevel = "error";
  const session = await runtime.InferenceSession.create(bytes, { executionProviders: [provider] });
  const fixed = metadata.target !== "input";

  async function explain(pixels, target = -1) {
    // A copy of the pixels, since the worker keeps what it is given.
    const feeds = { [input]: new runtime.Tensor("uint8", pixels.slice(), [1, ...shape]) };
    if (!fixed) feeds.target = new runtime.Tensor("int64", [BigInt(target)], [1]);
    if (metadata.on_demand) feeds.explain = new runtime.Tensor("bool", [true], []);
    const start = performance.now();
    const { logits, saliency } = await session.run(feeds, ["logits", "saliency"]);
    const milliseconds = performance.now() - start;
    return {
      logits: logits.data,
      saliency: saliency.data,
      target: explained(fixed ? metadata.target : target, logits.data),
      milliseconds,
    };
  }

  await explain(new Uint8Array(shape[0] * shape[1] * shape[2]));
  return { backend, explain };
}

/** The explained class; undefined where the artifact explains a score of its own. */
function explained(target, logits) {
  if (target === -1 || target === "predicted") return logits.indexOf(logits.reduce((best, score) => Math.max(best, score)));
  return Number.isInteger(target) ? target : undefined;
}
