import { describe, expect, it } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { redactObject, redactText } from "./redact.ts";
import { tar } from "./tar.ts";

const KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n";
const TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

describe("a bug report's archive", () => {
  it("is read by tar, whatever lengths its files and paths have", () => {
    const files = [
      { path: "a.txt", content: "" },
      { path: "b/c.txt", content: "ü".repeat(300) },
      { path: `sidecars/${"n".repeat(63)}/${"p".repeat(63)}/config.json`, content: "x".repeat(512) },
    ];
    const archive = tar(files, new Date(0));
    for (const { path, content } of files) {
      expect(execFileSync("tar", ["-xOf", "-", path], { input: archive, encoding: "utf8" })).toBe(content);
    }
    expect(execFileSync("tar", ["-tf", "-"], { input: archive, encoding: "utf8" })).toBe(files.map(({ path }) => `${path}\n`).join(""));
  });
});

describe("what a bug report leaves out", () => {
  it("is every key, token and credential, wherever it stands in a text", () => {
    const text = redactText(`before\n${KEY}log: token ${TOKEN}; Authorization: Bearer abcdefgh12345678\nafter\n`);
    expect(text).toBe("before\n[redacted]\nlog: token [redacted]; Authorization: Bearer [redacted]\nafter\n");
    expect(redactText("-----BEGIN PRIVATE KEY-----\nMHcCAQEE (cut off")).toBe("[redacted]");
  });

  it("is the values of environment variables, and copies of objects", () => {
    const pod = {
      metadata: {
        name: "web",
        managedFields: [{}],
        annotations: { "kubectl.kubernetes.io/last-applied-configuration": '{"env":"s3cret"}', kept: "yes" },
      },
      spec: {
        containers: [
          {
            name: "app",
            env: [
              { name: "PASSWORD", value: "s3cret" },
              { name: "IP", valueFrom: { fieldRef: {} } },
            ],
          },
        ],
      },
    };
    expect(redactObject(pod)).toEqual({
      metadata: { name: "web", annotations: { kept: "yes" } },
      spec: {
        containers: [
          {
            name: "app",
            env: [
              { name: "PASSWORD", value: "[redacted]" },
              { name: "IP", valueFrom: { fieldRef: {} } },
            ],
          },
        ],
      },
    });
  });
});
