import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { applyChanges } from "./change-instructions.ts";
import { expandWord, splitWords } from "./dockerfile-words.ts";
import { globMatches } from "./glob.ts";

describe("change instructions", () => {
  const cases: readonly (readonly [changes: readonly string[], expected: object])[] = [
    [['CMD ["a","b c"]'], { Cmd: ["a", "b c"] }],
    [["CMD a  b"], { Cmd: ["/bin/sh", "-c", "a  b"] }],
    [["cmd []"], { Cmd: [] }],
    [["CMD [a]"], { Cmd: ["/bin/sh", "-c", "[a]"] }],
    [["CMD a", 'ENTRYPOINT ["x"]'], { Cmd: ["/bin/sh", "-c", "a"], Entrypoint: ["x"] }],
    [["ENV A=b"], { Env: ["A=b"] }],
    [["ENV A=b C='d e' F=\"g $A\""], { Env: ["A=b", "C=d e", "F=g "] }],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: these are the Dockerfile's variables
    [["ENV A=b", 'ENV C=${A}x D=${N:-none} E=${A:+set} "F G"=\\$A'], { Env: ["A=b", "C=bx", "D=none", "E=set", "F G=$A"] }],
    [["ENV A b  c"], { Env: ["A=b  c"] }],
    [["ENV A=1 B=2", "ENV A=3"], { Env: ["A=3", "B=2"] }],
    [["EXPOSE 80 53/udp 8000-8002/TCP"], { ExposedPorts: { "80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {} } }],
    [["LABEL a=b \"c d\"='e f'", "LABEL g h"], { Labels: { a: "b", "c d": "e f", g: "h" } }],
    [["USER me:staff"], { User: "me:staff" }],
    [["VOLUME /a /b", 'VOLUME ["/c d"]'], { Volumes: { "/a": {}, "/b": {}, "/c d": {} } }],
    [["WORKDIR /a/b/", "WORKDIR ../c"], { WorkingDir: "/a/c" }],
    [["STOPSIGNAL SIGUSR1"], { StopSignal: "SIGUSR1" }],
    [["STOPSIGNAL 9"], { StopSignal: "9" }],
    [["HEALTHCHECK NONE"], { Healthcheck: { Test: ["NONE"] } }],
    [
      ["HEALTHCHECK --interval=1m30s --retries=3 CMD curl x"],
      { Healthcheck: { Test: ["CMD-SHELL", "curl x"], Interval: 90e9, Retries: 3 } },
    ],
    [['HEALTHCHECK --start-period=5s --timeout=1s CMD ["a"]'], { Healthcheck: { Test: ["CMD", "a"], StartPeriod: 5e9, Timeout: 1e9 } }],
    [["ONBUILD RUN  x"], { OnBuild: ["RUN  x"] }],
    [["# nothing\n\nENV A=1 \\\n  B=2\nUSER x"], { Env: ["A=1", "B=2"], User: "x" }],
    [["ENV P=$PATH:/x"], { Env: ["P=:/x"] }],
  ];
  for (const [changes, expected] of cases) test(changes.join(" ; "), () => assert.deepEqual(applyChanges({}, changes), expected));

  test("what is there is added to, and left as it is", () => {
    const config = { Env: ["PATH=/bin"], Cmd: ["sh"], Labels: { a: "1" } };
    assert.deepEqual(applyChanges(config, ["ENV PATH=$PATH:/x", "LABEL b=2", 'ENTRYPOINT ["e"]']), {
      Env: ["PATH=/bin:/x"],
      Cmd: null,
      Labels: { a: "1", b: "2" },
      Entrypoint: ["e"],
    });
    assert.deepEqual(config, { Env: ["PATH=/bin"], Cmd: ["sh"], Labels: { a: "1" } });
  });

  const refused: readonly (readonly [change: string, message: string | RegExp])[] = [
    ["RUN x", "RUN is not a valid change command"],
    ["FROM x", "FROM is not a valid change command"],
    ["ENV", "ENV requires at least one argument"],
    ["ENV A", "ENV must have two arguments"],
    ["ENV =b", "ENV names can not be blank"],
    ["ENV A=b C", /can't find = in "C"/],
    ["ENV A='b", /unexpected end of statement/],
    ["LABEL", "LABEL requires at least one argument"],
    ["EXPOSE", "EXPOSE requires at least one argument"],
    ["EXPOSE 0", "invalid containerPort: 0"],
    ["EXPOSE 9-8", "invalid containerPort: 9-8"],
    ["EXPOSE http", "invalid containerPort: http"],
    ["USER a b", "USER requires exactly one argument"],
    ["WORKDIR", "WORKDIR requires exactly one argument"],
    ["STOPSIGNAL NOSUCH", "invalid signal: NOSUCH"],
    ["HEALTHCHECK", "HEALTHCHECK requires at least one argument"],
    ["HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"],
    ["HEALTHCHECK --interval=x CMD a", /invalid duration/],
    ["HEALTHCHECK RUN a", /Unknown type "RUN" in HEALTHCHECK/],
    ["ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
    ["ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"],
    ['SHELL ["bash"]', "SHELL is not a valid change command"],
    ["# nothing", "file with no instructions"],
    ["HEALTHCHECK --interval=1 CMD x", 'time: missing unit in duration "1"'],
    ["HEALTHCHECK --interval=1m1x CMD x", 'time: unknown unit "x" in duration "1m1x"'],
    ['VOLUME [""]', "VOLUME specified can not be an empty string"],
    [`ENV A=${"$"}{b:?c}`, /bad substitution|unsupported/],
  ];
  for (const [change, message] of refused)
    test(`refused: ${change}`, () => assert.throws(() => applyChanges({}, [change]), { code: "InvalidParameter", message }));
});

test("words keep quotes and escapes until they are expanded", () => {
  assert.deepEqual(splitWords(`a "b c" d\\ e 'f"g'`), ["a", '"b c"', "d\\ e", `'f"g'`]);
  assert.deepEqual(
    ['"b c"', "d\\ e", `'f"g$x'`, '"\\$x \\n"', "$", "$1", `${"$"}{x:-${"$"}{y:-z}}`].map((word) => expandWord(word, { x: "" })),
    ["b c", "d e", 'f"g$x', "$x \\n", "$", "", "z"],
  );
});

test("globs as Go's path.Match", () => {
  for (const [pattern, name, matches] of [
    ["bus*", "busybox", true],
    ["bus*", "bus/box", false],
    ["*/*", "quay.io/x", true],
    ["b?x", "box", true],
    ["b[a-o]x", "box", true],
    ["b[^a-o]x", "box", false],
    ["b\\*x", "b*x", true],
    ["b.x", "box", false],
    ["[", "[", false],
    ["[]", "x", false],
  ] as const)
    assert.equal(globMatches(pattern, name), matches, `${pattern} ${name}`);
});
