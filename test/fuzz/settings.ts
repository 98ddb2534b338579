import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import fc from "fast-check";

/** HAIRPIN_FUZZ_SEED repeats a run, HAIRPIN_FUZZ_RUNS makes it longer. */
export const SEED = Number(process.env["HAIRPIN_FUZZ_SEED"] ?? Date.now() % 2 ** 31);
export const RUNS = Number(process.env["HAIRPIN_FUZZ_RUNS"] ?? "400");
/** CPU for one input, on a machine that does other things as well. */
const CPU_MS = 250;

/** Checks a property with the seed of this run, which is printed; a failure is shrunk by fast-check. */
export async function hold<T>(t: TestContext, inputs: fc.Arbitrary<T>, check: (input: T) => unknown): Promise<void> {
  t.diagnostic(`seed ${SEED}, ${RUNS} inputs`);
  const property = fc.asyncProperty(inputs, async (input) => {
    await check(input);
  });
  await fc.assert(property, { seed: SEED, numRuns: RUNS });
}

/** Runs a parser, which may take so much CPU and no more. */
export function bounded<T>(parse: () => T): T {
  const began = process.cpuUsage();
  try {
    return parse();
  } finally {
    const { user, system } = process.cpuUsage(began);
    assert.ok((user + system) / 1_000 < CPU_MS, `${(user + system) / 1_000} ms of CPU`);
  }
}

type Mutation = readonly [kind: number, at: number, length: number, what: number];
const mutations = fc.array(fc.tuple(fc.nat(4), fc.nat(1_000_000), fc.nat(40), fc.nat(255)), { maxLength: 8 });

/** Something that is right, changed in a few places: what a parser's deep branches need and random bytes never reach. */
export function mutatedBytes(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  return fc.tuple(fc.constantFrom(...samples), mutations).map(([sample, list]) => {
    let bytes = Buffer.from(sample);
    for (const mutation of list) bytes = mutate(bytes, mutation);
    return new Uint8Array(bytes);
  });
}

export function mutatedText(samples: readonly string[]): fc.Arbitrary<string> {
  const changed = mutatedBytes(samples.map((sample) => Buffer.from(sample))).map((bytes) =>
    Buffer.from(bytes).toString(),
  );
  return fc.oneof(
    changed,
    fc.string({ unit: "binary" }),
    changed.map((text) => text.repeat(20)),
  );
}

function mutate(bytes: Buffer, [kind, place, length, what]: Mutation): Buffer<ArrayBuffer> {
  const at = bytes.length === 0 ? 0 : place % bytes.length;
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (kind) {
    case 0:
      return Buffer.concat([before, Buffer.from([what]), after.subarray(1)]);
    case 1:
      return Buffer.concat([before, after.subarray(length)]);
    case 2:
      return Buffer.concat([before, Buffer.alloc(length, what), after]);
    case 3:
      return Buffer.concat([before, after.subarray(0, length), after]);
    default:
      return Buffer.from(before);
  }
}
