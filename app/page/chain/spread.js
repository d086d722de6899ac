// Many runs of one network, spread over more workers: OpenCV in the browser has one thread.

const MOST = 4; // workers: each holds its own OpenCV and its own networks
const LONG = 3000; // milliseconds; what is done sooner does not wait for workers to start

const pause = () => new Promise((done) => setTimeout(done)); // lets others ask in between

/** What `run(picture)` says of each of `pictures`, in their order. Other workers are asked for `raw`
 * of `task`, which says the same. `tell(done, all)` hears of each; `signal` ends it. */
export async function spread(pictures, run, task, tell, signal) {
  const found = pictures.map(() => null);
  const left = [...pictures.keys()];
  const settle = (at, said) => {
    found[at] ??= said;
    tell(found.filter(Boolean).length, found.length);
  };
  const began = performance.now();
  const first = left.shift();
  settle(first, run(pictures[first]));
  const long = (performance.now() - began) * pictures.length > LONG;
  const workers = long ? started() : [];
  for (const worker of workers) {
    const give = () => {
      const at = left.shift();
      if (at != null) worker.postMessage({ id: at, call: "raw", about: [task, pictures[at]] });
    };
    worker.onmessage = ({ data: { id, found: said } }) => {
      if (!said) return; // it cannot, and gets no more
      settle(id, said);
      give();
    };
    worker.onerror = (event) => event.preventDefault();
    give();
    give(); // which it has at hand when it is through with the other
  }
  try {
    // At the end it takes what others have not done yet: they may be slow, or have failed.
    for (let at; (at = left.shift() ?? found.lastIndexOf(null)) >= 0; ) {
      await pause();
      signal.throwIfAborted();
      if (!found[at]) settle(at, run(pictures[at]));
    }
  } finally {
    for (const worker of workers) worker.terminate();
  }
  return found;
}

function started() {
  const address = new URL("worker.js", import.meta.url);
  const count = Math.min(navigator.hardwareConcurrency, MOST) - 1;
  return Array.from({ length: count }, () => new Worker(address, { type: "module" }));
}
