/** Runs a classic BPF program over a struct seccomp_data, as the kernel does: what the tests hold the compiler to. */
import { bpf } from "./bpf.ts";

export interface SeccompCall {
  readonly architecture: number;
  readonly number: number;
  readonly args?: readonly bigint[];
}

/** @returns the filter's answer (SECCOMP_RET_*). Fails on what the kernel's checker would refuse. */
export function runFilter(filter: Uint8Array, call: SeccompCall): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call.number >>> 0, true);
  data.setUint32(4, call.architecture, true);
  for (const [index, value] of (call.args ?? []).entries()) data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, value), true);
  const view = new DataView(filter.buffer, filter.byteOffset, filter.byteLength);
  const length = filter.length / 8;
  let accumulator = 0;
  for (let at = 0; at < length; at++) {
    const code = view.getUint16(at * 8, true);
    const k = view.getUint32(at * 8 + 4, true);
    const skip = (condition: boolean): number => view.getUint8(at * 8 + (condition ? 2 : 3));
    if (code === bpf.load) accumulator = data.getUint32(k, true);
    else if (code === bpf.and) accumulator = (accumulator & k) >>> 0;
    else if (code === bpf.jump) at += k;
    else if (code === bpf.jumpEqual) at += skip(accumulator === k);
    else if (code === bpf.jumpGreater) at += skip(accumulator > k);
    else if (code === bpf.jumpGreaterEqual) at += skip(accumulator >= k);
    else if (code === bpf.return) return k;
    else throw new Error(`instruction ${at} has code ${code}`);
  }
  throw new Error("ran past the end of the filter");
}
