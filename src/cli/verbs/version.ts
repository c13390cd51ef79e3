import { invalidParameter, messageOf } from "../../base/errors.ts";
import type { SystemVersion } from "../../spec/spec.ts";
import { clientVersion } from "../client-version.ts";
import { type Command, ExitError } from "../command.ts";
import { inspectFormatFlag } from "../flags/list-flags.ts";
import { withGoNames } from "../output/go-types.ts";
import { Computed, compileTemplate } from "../template/template.ts";

type Rows = readonly (readonly [string, string])[];

function section(title: string, rows: Rows, indent: string, width: number): string {
  return `${indent}${title}:\n${rows.map(([key, value]) => `${indent} ${`${key}:`.padEnd(width)}${value}\n`).join("")}`;
}

/** `2026-11-21T12:00:00.000Z` as Docker's `Sat Nov 21 12:00:00 2026`. */
function buildTime(text: string): string {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text;
  const [day = "", of = "", month = "", year = "", clock = ""] = date.toUTCString().replace(",", "").split(" ");
  return `${day} ${month} ${String(Number(of)).padStart(2)} ${clock} ${year}`;
}

/** The client as it speaks to this daemon. */
interface Speaker {
  readonly contextName: string;
  /** The API version agreed on: the daemon's where that is older. */
  readonly apiVersion: string;
}

function clientText({ contextName, apiVersion }: Speaker): string {
  const client = clientVersion();
  const downgraded = apiVersion === client.ApiVersion ? "" : ` (downgraded from ${client.ApiVersion})`;
  const rows: Rows = [
    ["Version", client.Version],
    ["API version", `${apiVersion}${downgraded}`],
    ["Node version", client.NodeVersion],
    ["Git commit", client.GitCommit],
    ["Built", buildTime(client.BuildTime)],
    ["OS/Arch", `${client.Os}/${client.Arch}`],
    ["Context", contextName],
  ];
  return section("Client", rows, "", 19);
}

function serverText(server: SystemVersion): string {
  const name = server.Platform?.Name ?? "";
  let text = `\nServer:${name === "" ? "" : ` ${name}`}\n`;
  for (const component of server.Components ?? []) {
    const details: Readonly<Record<string, string>> = component.Details ?? {};
    const rows: (readonly [string, string])[] = [["Version", component.Version]];
    if (component.Name === "Engine") {
      rows.push(["API version", `${details["ApiVersion"]} (minimum version ${details["MinAPIVersion"]})`]);
      rows.push(["Go version", details["GoVersion"] ?? ""], ["Git commit", details["GitCommit"] ?? ""]);
      rows.push(["Built", buildTime(details["BuildTime"] ?? "")], ["OS/Arch", `${details["Os"]}/${details["Arch"]}`]);
      rows.push(["Experimental", details["Experimental"] ?? "false"]);
    } else {
      for (const key of Object.keys(details).sort()) rows.push([key, details[key] ?? ""]);
    }
    text += section(component.Name, rows, " ", 18);
  }
  return text;
}

function view(server: SystemVersion | null, { contextName, apiVersion }: Speaker): Computed {
  const client = clientVersion();
  return new Computed("system.versionInfo", {
    Client: () => withGoNames({ ...client, ApiVersion: apiVersion, DefaultAPIVersion: client.ApiVersion, Context: contextName }),
    Server: () => (server === null ? null : withGoNames({ ...server })),
    ServerOK: () => () => server !== null,
  });
}

export const command: Command = {
  usage: "[OPTIONS]",
  args: { least: 0, most: 0 },
  flags: [inspectFormatFlag],
  async run(context, flags) {
    const format = flags.string("format");
    let server: SystemVersion | null = null;
    let failure: unknown;
    try {
      server = await context.client().json<SystemVersion>("GET", "/version");
    } catch (error) {
      failure = error;
    }
    const apiVersion = server === null ? clientVersion().ApiVersion : await context.client().version();
    const speaker = { contextName: context.contextName(), apiVersion };
    if (format === "") context.out(clientText(speaker) + (server === null ? "" : serverText(server)));
    else {
      try {
        context.out(`${compileTemplate(format === "json" ? "{{json .}}" : format).execute(view(server, speaker))}\n`);
      } catch (error) {
        if (failure === undefined) throw invalidParameter(`template parsing error: ${messageOf(error)}`, error);
      }
    }
    if (failure !== undefined) throw new ExitError(1, messageOf(failure));
    return 0;
  },
};
