import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isEngineError } from "../base/base.ts";
import { accounts } from "./examples.test.ts";
import { checkUserSyntax, resolveUser } from "./users.ts";

const resolve = (user: string, groups: string[] = []): ReturnType<typeof resolveUser> => resolveUser(user, groups, accounts);
const file = (text: string): Uint8Array => Buffer.from(text);

describe("users", () => {
  test("by default root, with the groups that it is a member of", () => {
    assert.deepEqual(resolve(""), { uid: 0, gid: 0, groups: [0, 10], home: "/root" });
    assert.deepEqual(resolveUser("", [], { passwd: undefined, group: undefined }), { uid: 0, gid: 0, groups: [0], home: "/" });
  });

  test("by name, by number, with a group", () => {
    assert.deepEqual(resolve("user"), { uid: 1000, gid: 1000, groups: [1000, 2000], home: "/home/user" });
    assert.deepEqual(resolve("1000"), { uid: 1000, gid: 1000, groups: [1000, 2000], home: "/home/user" });
    assert.deepEqual(resolve("5"), { uid: 5, gid: 0, groups: [0], home: "/" });
    assert.deepEqual(resolve("5:6", ["extra"]), { uid: 5, gid: 6, groups: [6, 2000], home: "/" });
    assert.deepEqual(resolve("user:extra"), { uid: 1000, gid: 2000, groups: [2000], home: "/home/user" });
  });

  test("unknown names, in Docker's words", () => {
    assert.throws(() => resolve("nosuch"), {
      code: "InvalidParameter",
      message: "unable to find user nosuch: no matching entries in passwd file",
    });
    assert.throws(() => resolve("0:nosuch"), { message: "unable to find group nosuch: no matching entries in group file" });
    assert.throws(() => resolve("", ["nosuch"]), { message: "Unable to find group nosuch: no matching entries in group file" });
  });

  test("hostile numbers are errors, never user 0 (CVE-2024-40635)", () => {
    for (const text of ["2147483648", "4294967296", "4294967295", "18446744073709551616", "-1", "-0", "9".repeat(400)]) {
      assert.throws(() => resolve(text), { message: "uids and gids must be in range 0-2147483647" }, text);
      assert.throws(() => resolve(`1000:${text}`), { message: "uids and gids must be in range 0-2147483647" }, text);
      assert.throws(() => resolve("", [text]), { code: "InvalidParameter" }, text);
      assert.throws(() => checkUserSyntax(text), { code: "InvalidParameter" }, text);
    }
    for (const text of ["1e3", "0x0", "0b0", "1.0", " ", "٠", "NaN", "0_0"])
      assert.throws(() => resolve(text), /unable to find user/, text);
  });

  test("a number is a number, whatever the image names its users", () => {
    const passwd = file(
      "1000:x:0:0::/:\n2147483648:x:0:0::/:\nbad:x:abc:0::/:\nlarge:x:4294967296:0::/:\nneg:x:-0:0::/:\nempty:x::0::/:\n",
    );
    const hostile = (user: string): number => resolveUser(user, [], { passwd, group: undefined }).uid;
    assert.equal(hostile("1000"), 1000);
    for (const user of ["2147483648", "bad", "large", "neg", "empty"])
      assert.throws(() => hostile(user), { code: "InvalidParameter" }, user);
  });

  test("whatever the text and the files: an error in range of ours, or numbers in range", () => {
    const line = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom("root", "x", "0"), fc.string(), fc.constantFrom("0", "1", "x", "4294967296"))
        .map((parts) => parts.join(":")),
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.constantFrom("root", "x", "0", "1:x")), fc.array(line), (user, lines) => {
        const text = file(lines.join("\n"));
        try {
          const { uid, gid, groups } = resolveUser(user, [], { passwd: text, group: text });
          for (const id of [uid, gid, ...groups]) assert.ok(Number.isInteger(id) && id >= 0 && id < 2 ** 31);
        } catch (error) {
          assert.ok(isEngineError(error, "InvalidParameter"), String(error));
        }
      }),
    );
  });
});
