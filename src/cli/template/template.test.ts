import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Computed, compileTemplate } from "./template.ts";

const data = {
  Name: "/web",
  State: { Status: "running", Pid: 12 },
  Env: ["A=1", "B=<2>"],
  Labels: { b: "2", a: "1" },
  Nothing: null,
  Big: 33554432,
  Ratio: 1.5,
};

const run = (source: string, value: unknown = data): string => compileTemplate(source).execute(value);

// What Go's text/template prints; checked against the docker client in docker-parity.test.ts where docker is there.
const prints: readonly (readonly [string, string])[] = [
  ["{{.Name}} {{.State.Status}}", "/web running"],
  ["{{ .State.Pid }}|{{.Big}}|{{.Ratio}}|{{.Nothing}}", "12|33554432|1.5|<nil>"],
  ["{{.Env}} {{.Labels}}", "[A=1 B=<2>] map[a:1 b:2]"],
  ["{{range .Env}}[{{.}}]{{end}}", "[A=1][B=<2>]"],
  ["{{range $i, $e := .Env}}{{$i}}:{{$e}};{{end}}", "0:A=1;1:B=<2>;"],
  ["{{range $k, $v := .Labels}}{{$k}}{{$v}}{{end}}", "a1b2"],
  ["{{range .Nothing}}x{{else}}none{{end}}", "none"],
  ['{{range .Env}}{{if eq . "A=1"}}{{continue}}{{end}}{{.}}{{break}}{{end}}', "B=<2>"],
  ["{{if .Nothing}}a{{else if .Name}}b{{else}}c{{end}}", "b"],
  ['{{if and .Name (eq .State.Status "running" "paused")}}up{{end}}', "up"],
  ["{{if not (or .Nothing false)}}no{{end}}", "no"],
  ["{{with .State}}{{.Pid}}{{$.Name}}{{end}}", "12/web"],
  ["{{with $x := .State}}{{$x.Status}}{{end}}", "running"],
  ["{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"],
  ["a  {{- 1 -}}  b", "a1b"],
  ["{{/* note */}}x{{- /* trims */ -}}  y", "xy"],
  ["{{json .Env}} {{json .Name}} {{json .Nothing}}", '["A=1","B=<2>"] "/web" null'],
  ['{{index .Labels "a"}}{{index .Env 1}}{{len .Env}}{{len .Name}}', "1B=<2>24"],
  ["{{slice .Name 1 3}} {{slice .Env 0 1}}", "we [A=1]"],
  ['{{.Name | upper | printf "%-6s|%05d|%q|%5.1f|%x" }}', "/WEB  |%!d(MISSING)|%!q(MISSING)|%!f(MISSING)|%!x(MISSING)"],
  ['{{printf "%05d|%q|%5.1f|%x|%v|%t|%%" 42 "a\\"b" 2.26 255 .Env true}}', '00042|"a\\"b"|  2.3|ff|[A=1 B=<2>]|true|%'],
  ['{{printf "%d" "x"}}', "%!d(string=x)"],
  ['{{printf "%s" 1 2}}', "%!s(int=1)%!(EXTRA int=2)"],
  ['{{split .Name "e"}} {{join .Env ","}} {{title "ab cd"}} {{lower "AB"}}', "[/w b] A=1,B=<2> Ab Cd ab"],
  ['{{pad "x" 1 2}}|{{truncate "abcdef" 3}}|{{println 1 "a"}}|{{print 1 2 "a" 3}}', " x  |abc|1 a\n|1 2a3"],
  ['{{lt 1 2}}{{ge 2 2}}{{ne "a" "b"}}{{gt 1 2}}{{le "a" "b"}}', "truetruetruefalsetrue"],
  ['{{html "<a&b>"}} {{urlquery "a b&c"}}', "&lt;a&amp;b&gt; a+b%26c"],
  ["{{\"q\\t\\u00e9\"}}{{`raw\\t`}}{{'x'}}", "q\téraw\\t120"],
  ["{{(index .Env 0) | len}}", "3"],
];

// Go's words for what is wrong.
const fails: readonly (readonly [string, string])[] = [
  ["{{.Foo}}", 'template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"'],
  ["{{.State.Foo.Bar}}", 'template: :1:8: executing "" at <.State.Foo.Bar>: map has no entry for key "Foo"'],
  ["a\nb{{.Foo}}", 'template: :2:3: executing "" at <.Foo>: map has no entry for key "Foo"'],
  ["{{.Name.X}}", 'template: :1:7: executing "" at <.Name.X>: can\'t evaluate field X in type string'],
  ["{{index .Env 5}}", 'template: :1:2: executing "" at <index .Env 5>: error calling index: index out of range: 5'],
  ["{{", "template: :1: unclosed action"],
  ["{{.Name", "template: :1: unclosed action"],
  ["{{if .Name}}x", "template: :1: unexpected EOF"],
  ["{{end}}", "template: :1: unexpected {{end}}"],
  ["{{nosuch}}", 'template: :1: function "nosuch" not defined'],
  ["{{$x}}", 'template: :1: undefined variable "$x"'],
  ["{{if}}{{end}}", "template: :1: missing value for if"],
  ["{{break}}", "template: :1: {{break}} outside {{range}}"],
  ['{{"abc}}', "template: :1: unterminated quoted string"],
  ["{{(.Name}}", "template: :1: unclosed left paren"],
  ['{{lt 1 "a"}}', 'template: :1:2: executing "" at <lt 1 "a">: error calling lt: incompatible types for comparison'],
];

describe("templates", () => {
  for (const [source, text] of prints) test(`prints ${source}`, () => assert.equal(run(source), text));
  for (const [source, message] of fails) test(`refuses ${source}`, () => assert.throws(() => run(source), { message }));

  test("computed fields are read when they are used, and only then", () => {
    const read: string[] = [];
    const field = (name: string) => (): string => {
      read.push(name);
      return `<${name}>`;
    };
    const item = new Computed("formatter.Item", { B: field("B"), A: field("A"), Label: () => (name: unknown) => `label ${name}` });
    assert.equal(run("{{.A}}", item), "<A>");
    assert.deepEqual(read, ["A"]);
    assert.equal(run('{{.Label "x"}}', item), "label x");
    assert.equal(run("{{json .}}", item), '{"A":"\\u003cA\\u003e","B":"\\u003cB\\u003e"}');
    assert.throws(() => run("{{.C}}", item), /can't evaluate field C in type \*formatter\.Item/);
  });

  test("fields that Docker's types have though the document lacks them", () => {
    const template = compileTemplate("{{.State.Health}}");
    assert.equal(
      template.execute(data, (path) => (path.join(".") === "State.Health" ? null : undefined)),
      "<nil>",
    );
    assert.throws(() => template.execute(data));
  });
});
