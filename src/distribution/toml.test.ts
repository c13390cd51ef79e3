import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseToml, TomlError, type TomlTable, type TomlValue } from "./toml.ts";

function plain(value: TomlValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [key, plain(inner)]));
  return Array.isArray(value) ? (value as TomlValue[]).map(plain) : value;
}

const read = (text: string): unknown => plain(parseToml(text));

describe("TOML", () => {
  test("what configurations of hosts are made of", () => {
    const text = `
# a comment
server = "https://a.example" # another
[host."https://b.example:5000"]
  capabilities = [ "pull", # one
    'resolve',
  ]
  skip_verify = true\r
  client = [["/a.cert", "/a.key"], ["b.pem", ""]]
  [host."https://b.example:5000".header]
    x-one = "q\\"uo\\u00e9\\ted"
    x-two = ["1", "2"]
[host.'http://c']
limit = -1_000
inline = { a = 1, "b c" = {}, d.e = false }
[other]
dotted."k.k".x = ""`;
    assert.deepEqual(read(text), {
      server: "https://a.example",
      host: {
        "https://b.example:5000": {
          capabilities: ["pull", "resolve"],
          skip_verify: true,
          client: [
            ["/a.cert", "/a.key"],
            ["b.pem", ""],
          ],
          header: { "x-one": 'q"uoé\ted', "x-two": ["1", "2"] },
        },
        "http://c": { limit: -1000, inline: { a: 1, "b c": {}, d: { e: false } } },
      },
      other: { dotted: { "k.k": { x: "" } } },
    });
    assert.deepEqual(read(""), {});
    assert.deepEqual([...((parseToml("[z.b]\n[z.a]").get("z") as TomlTable | undefined)?.keys() ?? [])], ["b", "a"]);
    assert.equal(parseToml('__proto__ = "x"').get("__proto__"), "x");
  });

  test("what is wrong is told with its line", () => {
    for (const [text, why] of [
      ["a = 1\nb", /^line 2: "=" is expected$/],
      ["a = ", /^line 1: a value is expected$/],
      ["a = [1,\n2\nb = 3", /^line 3: "]" is expected$/],
      ['a = "x', /"\\"" is expected/],
      ['a = "\\q"', /\\q means nothing/],
      ['a = "\\Uffffffff"', /means nothing/],
      ["a = 1\na = 2", /^line 2: key a is there twice$/],
      ["[a]\n[a]", /^line 2: table a is there twice$/],
      ["a = 1\n[a.b]", /key a is no table/],
      ["a = 1 b = 2", /more than one statement/],
      ["a = 1.5", /"1.5" is no value that is understood here/],
      ["a = 010", /is no value/],
      ["a = 1979-05-27", /is no value/],
      ["[[a]]", /arrays of tables are not understood here/],
      ['a = """x"""', /strings of several lines are not understood/],
      ["[a", /"]" is expected/],
      ["= 1", /a key is expected/],
      [`a = ${"[".repeat(100_000)}`, /too deep/],
    ] as const)
      assert.throws(() => parseToml(text), { name: "TomlError", message: why }, text.slice(0, 50));
  });

  test("whatever is written is read, or refused", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."[]{}=.\"'#\\,ab1 \n-_") }), (text) => {
        try {
          parseToml(text);
        } catch (error) {
          assert.ok(error instanceof TomlError, String(error));
        }
      }),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.boolean(), fc.array(fc.string()))), (table) => {
        const quoted = (text: string): string => JSON.stringify(text).replaceAll("\u007f", "\\u007f");
        const text = Object.entries(table).map(([key, value]) => `${quoted(key)} = ${JSON.stringify(value)}`);
        assert.deepEqual(new Map(parseToml(text.join("\n"))), new Map(Object.entries(table)));
      }),
    );
  });
});
