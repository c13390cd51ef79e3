import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { decompressorFor, magicBytes } from "./compression.ts";

/** What the samples unpack to. */
const text = Buffer.from(
  Array.from({ length: 3000 }, (_, i) => `line ${(i * i) % 97}${i % 50 === 0 ? "!".repeat(i % 300) : ""}\n`).join(""),
);

/** As the programs themselves have made them, with these options. */
const samples: readonly (readonly [name: string, base64: string])[] = [
  [
    "xz -c9e",
    [
      "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4Hk9Af9dADYaSh8IoCXB3pS6kNmvCIgL4jyvjhpqn4NuIJhqUZTUwVHTnlOAOK9fJI3UlpVSH93fNEeK5+UuJtvQ",
      "ibBh9j2z3zfZGiWJh53y5i5UItUq5R9bvwJpIBGTEpbtRA55m1H/YVLSNMkkXdim81dW9rp+IkDHDlP6YmRK4QYpD2JJTFezMwy77YTVzstb7GBPvztAjjuU",
      "I04MeRN5WUO5KbwxYLLJ5AVS5OoSAfdQlqMuT9coWbBJYG5XdDie85rEfxnHb/9bP4JVq0MAacfWiYXf9bfsn6sYPoqJkqyCMNyCE2BDwFc0SlzOGgsHq9tH",
      "lMqy6fpdtPCA7vgHJx8gLb4lXyeQ+NiQWryD5+e7G6AYix5HmBaMNVeWdDb8KlgjHYcSGnBcM/t3fObo54YTbqyRorPc37Qxt86IF+MNh17YT3DahiCH51FV",
      "dBlJSRpl+5xqJ2938YKSKjOfTy+pj6IcGEI2VUDp+WmN5ggGMhjhRrd4L0aqrzfBoCBvllCMOsOfiO2HMfoPzeicdS7aKn03VD+7Dei703vVBYNYJyObXGRt",
      "b5D4l4N1/r4aeeV1nnWDbIuKxOnOhQRbJzsSDiNHjgXU/RQvfFZZ5CuqeQ59JVfrYgh9F8G8YsGJYO9SqzwZgGBeNJ04jTrYCqX0tX4U2YfPG+Tup4tgzfGb",
      "WQAAACHCyQSgQy/OAAGbBL7yAQDLO4ITscRn+wIAAAAABFla",
    ].join(""),
  ],
  [
    "xz -c --check=sha256 --block-size=16000 -T1",
    [
      "/Td6WFoAAArh+wyhAgAhARYAAAB0L+Wj4D5/AbhdADYaSh8IoCXB3pS6kNmvCIgL4jyvjhpqn4NuIJhqUZTUwVHTnlOAOK9fJI3UlpVSH93fNEeK5+UuJtvQ",
      "ibBh9j2z3zfZGiWJh53y5i5UItUq5R9bvwJpIBGTEpbtRA55m1H/YVLSNMkkXdim81dW9rp+IkDHDlP6YmRK4QYpD2JJTFezMwy77YTVzstb7GBPvztAjjuU",
      "I04MeRN5WUO5KbwxYLLJ5AVS5OoSAfdQlqMuT9coWbBJYG5XdDie85rEfxnHb/9bP4JVq0MAacfWiYXf9bfsn6sYPoqJkqyMRt8gsoLZPSHazv9AiumakBs0",
      "3js3Rg4BqJB0x6lwMMXJXVjHPoa2J+eQi+D/zEb8ffIsP5cfFWP1IXC/xhDBU0ETbAdOZCFq3ITeLgJsxP/to/lXNwrJxWsMtoeuzeNweVBReNK7lHxR1vm5",
      "AGqZiv6ZUMuuZYeaM3ctT+weJp+xiwptqZDf513TOHubL084kjev4erhCZYValot0yX8bcBr7f8pKkSeM5wr19DZnklkZI7MxFO4+QwNH+/ZRIUY+wcHp7qc",
      "pRA9EMEHqEmYlt/nTPifudRTVGVYAB7sYD3xA3+43On4h1zJBwmsy1aCoFA9sGInyVwl2zQlAgAhARYAAAB0L+Wj4Dq9AbJdADKIAyCogkN3+d1FlHU2POL2",
      "WsFXX9CVh787OmHkyeyc90k4m5/jnTdsrwQN1BYUWtbivAVX1atiLKwYX+VORwt4BwylXN40saWsUtoDojpJ2LauFpXxc3A+ICVmWMH7xrpjVeNZksdVlx4V",
      "z4K7AhqAU1J5z2tdcIkA3WH3lMvhMX+iw4r1V3SUSVHkHX1hAX7vRcVlziAnaxuo2+WvNi3hgep8Jn9Gt67ZfZUpx0ckuXWZiYuKPRH2q0VUfGTtIysRbZTh",
      "dkVnoTC5lDNNh9UANYYEQ++UvE3hURCWJeMCy5QH/AXfKbqzVzdWMUPhUGMG5A4fI3qlSrTKBXTWK6716w4KtiztyQI82jaBpleDR3yfbi8y0we24DLJjM85",
      "1xmY2TnjHs9xu8I5Vr7tQRiPtP7n583y33WPL5uGyVWUeyMg6nlM48az4S6xN5gQTDKPze/QItZwXOyEjSnHJhHZ7Y4ttsVTQ4tyfsCHg31WllcVTlBHVDvD",
      "z4ExmPqjzIGjdGd1KmPde6dx93NLxo+a3v/HwQPUs6++ZC0Ff2eVVjdi5Bcb/BKbx1TYre51L68AAAAAaWFNk00jobxh7jfWdk8HfIbBISAAa8QYs/+HMaLn",
      "7TEAAuwDgH3mA751AAD4i0TBEzqD1wMAAAAAClla",
    ].join(""),
  ],
  [
    "xz -c --check=crc32 --lzma2=preset=6,lc=1,lp=2,pb=1",
    [
      "/Td6WFoAAAFpIt42AgAhARYAAAB0L+Wj4Hk9AolAADYaSjS3tZm1iLXWQHdYQtVNebzmvZsjZqom5RZ8tVwzUVmcPBc7TGE+JU4QcpTWQpJomwo5PkwZKAjd",
      "kjii7xBE2sk9OqkcMf3VQKKGskUPusApXjbMsZ9raceCDvQmK1qkc38R4XHePIhhV0PTywHtaiyweLkItlVyLNdYSdpc09iY5VUOCB5woCONuAoeqzvqf5lL",
      "RlawDvfc7kkiaosPaQA2kkYqeKGyuvYC4MVTCdnlB9GuA96gTs0VWkfuyPy9q0cBGtCS975YjD5b3nZ7o1a/0n8FTlJdo41xGCeFHcGejNNaLmwJ46bdO5bT",
      "3DUsX4qloMLkMM3fTkSLW0vFu4WdpPVd0FF05mnkcywS2W0oAlSmQFJ+jqmI4YFlEbs5jDscGGJVYMwL46QbJaSoyPYidRSKTvF/FxgVzNJzOjYA89hlGd9f",
      "nkE4NhRqioymXtDheooW242dGTJVZjaMANyuN9DslhiRarvlvzCaVRPsLvM6rFvO9SZo2defUxUPycarOj9jkk63dUoaoN+yd3ARa955SWG2IT6E0jXdaYh5",
      "YTn9z0ejH7mgOBWvCjhVm1rRN+7QlGD22J4CsicMRcpu9CFgFGWemYv5/UN0DUl2VrjJVAIAbEkB6teF+eAsu/nfEvwI+dRexbR97nx64LbzlJx4uWBHIQE4",
      "x/m4bnHAQihLT5oYfaCACkGbuMYk8KotbN51MT9CfaGgY+7VBf225RHTvV22nug+eoelDwlBYPe9QmyZNKpbP0T4p/lppJfgNIHjdJtLiACIZ/WVNOWHzxpe",
      "TzX9dauH140jzxwapHjh+Gz0WvKY294DeaO139e9cgmZLS55BsLZ3L6Yew1B5D2YzAAAAAAAxbktpAABoQW+8gEAsDYDiz4wDYsCAAAAAAFZWg==",
    ].join(""),
  ],
  [
    "xz -c --check=none",
    [
      "/Td6WFoAAAD/EtlBAgAhARYAAAB0L+Wj4Hk9AoBdADYaSh8IoCXB3pS6kNmvCIgL4jyvjhpqn4NuIJhqUZTUwVHTnlOAOK9fJI3UlpVSH93fNEeK5+UuJtvQ",
      "ibBh9j2z3zfZGiWJh53y5i5UItUq5R9bvwJpIBGTEpbtRA55m1H/YVLSNMkkXdim81dW9rp+IkDHDlP6YmRK4QYpD2JJTFezMwy77YTVzstb7GBPvztAjjuU",
      "I04MeRN5WUO5KbwxYLLJ5AVS5OoSAfdQlqMuT9coWbBJYG5XdDie85rEfxnHb/9bP4JVq0MAacfWiYXf9bfsn6sYPoqJkqyMRt8gsoLZPSHazv9AiumakBs0",
      "3js3Rg4BqJB0x6lwMMXJXVjHPoa2J+eQi+D/zEb8ffIsP5cfFWP1IXC/xhDBU0ETbAdOZCFq3ITeLgJsxP/to/lXNwrJxWsMtoeuzeNweVBReNK7lHxR1vm5",
      "AGqZiv6ZUMuuZYeaM3ctT+weJp+xiwptqZDf513TOHubL084kjev4erhCZYValot0yX8bcBr7f8pKkSeM5wr19DZnklkZI7MxFO4+QwNH+/ZRIUY+wcHp7qc",
      "pRA9EMEHqEmYlt/nTPif7NW6lx+q6JX6BPT1C6VJMmXUK3JtzYoZ4OnDGPjpsuqD8V18/vXnJOjXueC0cm+P4ioFMC/A6tJzJlqvITIXmxleO9sYjvc/WLEt",
      "0OrIqx1TtsSGzvDSG+LxuRuCTYPtcSNLtqAzxBVa7FfLS6I+IxaQPJrSlOau1TF9T5jqLu3SSl6UWd00x2invEp3trhL941QcJU3H/TQXn2tZA9zTqsRrELf",
      "KY7ucdoRgvI+9U/c0qAM919ryyR40pVrJZA8hXLUJr2ernPitQBwjgAAAAGUBb7yAQCuoLTfqAAK/AIAAAAAAFla",
    ].join(""),
  ],
  [
    "bzip2 -c1",
    [
      "QlpoMTFBWSZTWeVB7T4AIrHZJIAQYAF/4EIlEAAEAAEAUAOcB6DQAASTVGR6jTIAUaMgaNMjQo0ZA0aZGgmqSNECaoaPUEUobUGIAbXjFMW8qdB6XGVPQZwv",
      "9xT2H1f1lT97RrsPoc5D2HIew/qHle8U14R4wP7XvFPYeoeV+ZU1nyDx0h0H4v3FO6VrFPsOQxGl9xTXlcYpxN5U8fIaD0vmKdByuMqcbxGua7xTU7ypoPa4",
      "xThd4p0HfMNB9XjFOJ3gDsN4AbAhMINhmBRyGkAOEpMKfQ9w0vmKa9Q9rzlTWdLrKmvmI18htbxTXsNBqld5DMqfQz6HK+5UdLWKe4fV9xTXX5lHxfMqaza6",
      "xT8nnKm4eIYHoM9w4DPkOZ+ZU11OMqcUr3lTu0ISfYCSEkOYuabFXlh1HikRaLyOa5lMu+LW/PnvOus1rPF/KqX8D3Q7gy1DyHYeA9Q5h6Q3DYcw3DetZvfI",
      "hgdQ2HAahxDYegyHMNQ3DjN8ZvdQeAyHcOA5Q4hwHpDkNw1vW95EV3iOA7hzDA5RoMDiHIdIZve972kV2HSNh0Gg4DUOw8hkNw0Gtcb6kLcMDpHmGbh1DUNQ",
      "2HAcw2HHHO963EV4DsMhkMzURXcOIbDiHENQ1DiHGauNccUksDUNQ1DUPCGtccZEV6l+1CF+1CF/1QhftQhcw/8XckU4UJDlQe0+",
    ].join(""),
  ],
];

async function unpacked(data: Buffer, pieceBytes: number): Promise<Buffer> {
  const decoder = decompressorFor(data.subarray(0, magicBytes));
  assert.ok(decoder !== undefined);
  const out: Buffer[] = [];
  const reading = (async (): Promise<void> => {
    for await (const chunk of decoder) out.push(chunk as Buffer);
  })();
  reading.catch(() => undefined);
  for (let at = 0; at < data.length && !decoder.destroyed; at += pieceBytes) {
    // The memory is used again, as the engine does.
    const piece = Buffer.from(data.subarray(at, at + pieceBytes));
    await Promise.race([new Promise((done) => decoder.write(piece, done)), reading.catch(() => undefined)]);
    piece.fill(0);
  }
  if (!decoder.destroyed) decoder.end();
  await reading;
  return Buffer.concat(out);
}

describe("compressed by xz and bzip2", () => {
  for (const [name, base64] of samples) {
    const packed = Buffer.from(base64, "base64");
    test(`${name}: whatever pieces it comes in, also two behind each other`, async () => {
      for (const bytes of [1, 100, 1 << 20]) assert.deepEqual(await unpacked(packed, bytes), text);
      assert.deepEqual(await unpacked(Buffer.concat([packed, packed]), 1000), Buffer.concat([text, text]));
    });

    test(`${name}: cut, garbled, or with something behind it`, async () => {
      for (let length = 8; length < packed.length; length += 1 + Math.floor(length / 20))
        await assert.rejects(unpacked(packed.subarray(0, length), 1 << 20), { code: "InvalidParameter" }, `cut to ${length}`);
      await assert.rejects(unpacked(Buffer.concat([packed, Buffer.from("more!")]), 1 << 20), { code: "InvalidParameter" });
      for (let at = magicBytes; at < packed.length; at += 1 + Math.floor(packed.length / 60)) {
        const garbled = Buffer.from(packed);
        garbled.writeUInt8((packed[at] ?? 0) ^ (1 << (at % 8)), at);
        // Without a check much goes unseen: a digest finds it.
        const outcome = await unpacked(garbled, 1 << 20).catch((error: unknown) => error);
        if (Buffer.isBuffer(outcome)) assert.ok(name.includes("none") || outcome.equals(text), `bit at ${at}`);
        else assert.equal((outcome as { code?: string }).code, "InvalidParameter", `bit at ${at}: ${String(outcome)}`);
      }
    });
  }

  test("written without waiting, and piped to who is slow", { timeout: 30_000 }, async () => {
    for (const [name, base64] of samples) {
      const packed = Buffer.concat(Array<Buffer>(50).fill(Buffer.from(base64, "base64")));
      const decoder = decompressorFor(packed.subarray(0, magicBytes));
      assert.ok(decoder !== undefined);
      const out = decoder.pipe(new PassThrough({ highWaterMark: 1000 }));
      for (let at = 0; at < packed.length; at += 5000) decoder.write(packed.subarray(at, at + 5000));
      decoder.end();
      let bytes = 0;
      for await (const chunk of out) {
        bytes += (chunk as Buffer).length;
        if (bytes % 7 === 0) await new Promise(setImmediate);
      }
      assert.equal(bytes, 50 * text.length, name);
    }
  });

  test("unpacks no faster than it is read", { skip: hasBzip2() ? false : "bzip2 is not installed" }, async () => {
    const decoder = decompressorFor(Buffer.from("BZh9xx"));
    assert.ok(decoder !== undefined);
    decoder.write(execFileSync("sh", ["-c", "head -c 40000000 /dev/zero | bzip2 -9"]));
    decoder.end();
    await new Promise((done) => decoder.once("readable", done));
    assert.ok(decoder.readableLength < 4 << 20, `${decoder.readableLength} bytes wait`);
    let bytes = 0;
    for await (const chunk of decoder) bytes += (chunk as Buffer).length;
    assert.equal(bytes, 40_000_000);
  });

  test("others are told apart as before", () => {
    assert.equal(decompressorFor(Buffer.from("plain!")), undefined);
    assert.ok(decompressorFor(zstdCompressSync("x")) !== undefined);
  });
});

function hasBzip2(): boolean {
  try {
    execFileSync("bzip2", ["--help"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
