import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FlagSpec } from "./flag.ts";
import { flagHelp } from "./flag-help.ts";
import { parseFlags } from "./parse-flags.ts";

const specs: readonly FlagSpec[] = [
  { name: "interactive", short: "i", type: "bool", help: "Keep STDIN open" },
  { name: "tty", short: "t", type: "bool", help: "Allocate a terminal" },
  { name: "env", short: "e", type: "list", many: true, help: "Set variables" },
  { name: "name", type: "string", help: "A name" },
  { name: "last", short: "n", type: "int", help: "How many", default: "-1" },
  { name: "memory", short: "m", type: "bytes", help: "Memory" },
  { name: "platform", type: "strings", many: true, help: "Platforms" },
  { name: "sig-proxy", type: "bool", help: "Pass signals on", default: "true" },
];

const parse = (line: string, interspersed = true): ReturnType<typeof parseFlags> =>
  parseFlags(specs, line === "" ? [] : line.split(" "), interspersed);

describe("parseFlags", () => {
  test("clusters, values in every position, repeated flags", () => {
    const { values, args } = parse("-it -eA=1 -e B=2 --env=C=3 -n5 --name x img");
    assert.ok(values.bool("interactive") && values.bool("tty"));
    assert.deepEqual(values.list("env"), ["A=1", "B=2", "C=3"]);
    assert.equal(values.number("last"), 5);
    assert.equal(values.string("name"), "x");
    assert.deepEqual(args, ["img"]);
    assert.deepEqual(parse("-n=7").values.number("last"), 7);
    assert.equal(parse("--name a --name b").values.string("name"), "b");
    assert.deepEqual(parse("--platform a,b --platform c").values.list("platform"), ["a", "b", "c"]);
  });

  test("the command's own flags stay its own", () => {
    const { values, args } = parse("-i img sh -c -t --name", false);
    assert.ok(!values.bool("tty"));
    assert.deepEqual(args, ["img", "sh", "-c", "-t", "--name"]);
    assert.deepEqual(parse("a -t b -- -i").args, ["a", "b", "-i"]);
    assert.deepEqual(parse("-").args, ["-"]);
  });

  test("defaults and booleans that are told otherwise", () => {
    const { values } = parse("");
    assert.ok(values.bool("sig-proxy"));
    assert.ok(!values.changed("sig-proxy"));
    assert.equal(values.number("last"), -1);
    assert.ok(!parse("--sig-proxy=false").values.bool("sig-proxy"));
    assert.ok(!parse("-t=0").values.bool("tty"));
    assert.equal(parse("-m 1.5g").values.number("memory"), 1.5 * 2 ** 30);
  });

  const failures: readonly (readonly [string, string])[] = [
    ["--foo", "unknown flag: --foo"],
    ["-ix", "unknown shorthand flag: 'x' in -x"],
    ["-e", "flag needs an argument: 'e' in -e"],
    ["-ie", "flag needs an argument: 'e' in -e"],
    ["--name", "flag needs an argument: --name"],
    ["---x", "bad flag syntax: ---x"],
    ["-n x", 'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax'],
    ["-t=x", 'invalid argument "x" for "-t, --tty" flag: strconv.ParseBool: parsing "x": invalid syntax'],
    ["-m x", 'invalid argument "x" for "-m, --memory" flag: invalid size: \'x\''],
  ];
  for (const [line, message] of failures) test(`refuses ${line}`, () => assert.throws(() => parse(line), { message }));
});

test("help is sorted, aligned and wrapped", () => {
  const text = flagHelp(
    [
      { name: "zeta", type: "bool", help: "Last" },
      { name: "all", short: "a", type: "bool", help: "Show all of what there is to show, be it ever so much that it does not fit" },
      { name: "pull", type: "string", help: "When", default: "missing" },
      { name: "secret", type: "string", help: "Not shown", hidden: true },
    ],
    60,
  );
  assert.equal(
    text,
    [
      "  -a, --all           Show all of what there is to",
      "                      show, be it ever so much that it",
      "                      does not fit",
      '      --pull string   When (default "missing")',
      "      --zeta          Last",
    ].join("\n"),
  );
});
