import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Query } from "./query.ts";

const query = (values: Readonly<Record<string, string>>): Query => new Query(new URLSearchParams(values).toString());

describe("query", () => {
  test("switches are on but for Docker's words for off", () => {
    for (const off of ["", "0", "no", "false", "none", "FALSE", " No "]) assert.equal(query({ x: off }).flag("x", true), false, off);
    for (const on of ["1", "true", "True", "yes", "t", "2", "x"]) assert.equal(query({ x: on }).flag("x"), true, on);
    assert.equal(query({}).flag("x"), false);
    assert.equal(query({}).flag("x", true), true);
  });

  test("numbers are whole", () => {
    assert.equal(query({ t: "-1" }).integer("t"), -1);
    assert.equal(query({ t: "" }).integer("t"), undefined);
    for (const wrong of ["x", "1.5", "0x10", "1e3", " 1"]) {
      assert.throws(() => query({ t: wrong }).integer("t"), { message: `strconv.Atoi: parsing ${JSON.stringify(wrong)}: invalid syntax` });
    }
  });

  test("times are seconds or RFC 3339", () => {
    assert.equal(query({ since: "1136073600.000000001" }).time("since"), 1136073600000000001n);
    assert.equal(query({ since: "2006-01-01T00:00:00Z" }).time("since"), 1136073600000000000n);
    assert.equal(query({}).time("since"), undefined);
    assert.throws(() => query({ since: "yesterday" }).time("since"), /failed to parse/);
  });

  test("filters come in two shapes", () => {
    const expected = new Map([
      ["label", ["a=b", "c"]],
      ["status", ["running"]],
    ]);
    assert.deepEqual(query({ filters: '{"label":{"a=b":true,"c":false},"status":{"running":true}}' }).filters(), expected);
    assert.deepEqual(query({ filters: '{"label":["a=b","c"],"status":["running"]}' }).filters(), expected);
    for (const none of ["", "{}", "null"]) assert.equal(query({ filters: none }).filters().size, 0);
    for (const wrong of [
      "x",
      "[]",
      "1",
      '"label"',
      '{"label":"a"}',
      '{"label":[1]}',
      '{"label":{"a":1}}',
      '{"label":{"a":{}}}',
      '{"a":["x"',
    ]) {
      assert.throws(() => query({ filters: wrong }).filters(), { message: "invalid filter", code: "InvalidParameter" }, wrong);
    }
  });
});
