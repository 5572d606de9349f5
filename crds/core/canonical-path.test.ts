/** Canonical paths, held against the real Envoy that makes them. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { connect, type Socket } from "node:net";
import { startEnvoy, type RunningEnvoy } from "../../e2e/support/envoy.ts";
import { BAD_PATH, canonicalPath } from "./canonical-path.ts";

const config = {
  static_resources: {
    listeners: [
      {
        name: "echo",
        address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
        filter_chains: [
          {
            filters: [
              {
                name: "http",
                typed_config: {
                  "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                  stat_prefix: "echo",
                  normalize_path: true,
                  merge_slashes: true,
                  path_with_escaped_slashes_action: "REJECT_REQUEST",
                  http_filters: [
                    { name: "router", typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" } },
                  ],
                  route_config: {
                    virtual_hosts: [
                      {
                        name: "echo",
                        domains: ["*"],
                        response_headers_to_add: [{ header: { key: "x-path", value: "%REQ(:PATH)%" } }],
                        routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }],
                      },
                    ],
                  },
                },
              },
            ],
          },
        ],
      },
    ],
  },
};

let envoy: RunningEnvoy;
let port: number;
beforeAll(async () => {
  envoy = await startEnvoy({ config });
  port = await envoy.listenerPort("echo");
});
afterAll(() => envoy.stop());

/** The path as Envoy passes it on, without the query; "refused" when it does not. */
async function passedOn(path: string): Promise<string> {
  const answer = await new Promise<string>((resolve, reject) => {
    let received = "";
    const socket: Socket = connect(port, "127.0.0.1", () => socket.write(Buffer.from(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`, "latin1")));
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      if (received.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("close", () => resolve(received));
    socket.on("error", reject);
  });
  if (!answer.startsWith("HTTP/1.1 200 ")) return "refused";
  return (/\r\nx-path: (.*?)\r\n/.exec(answer)?.[1] ?? "").replace(/\?.*$/, "");
}

function expected(path: string): string {
  const canonical = canonicalPath(path);
  return canonical === BAD_PATH ? "refused" : canonical;
}

describe("the canonical path of a request", () => {
  it.each([
    ["/a?b=%2f//c/../d", "/a"],
    ["/%41%7e", "/A~"],
    ["/a\\b", "/a/b"],
    ["//a///b//", "/a/b/"],
    ["///", "//"],
    ["/a/./b/../c", "/a/c"],
    ["/../../a", "/a"],
    ["/a/%2e%2E/b", "/b"],
    ["/a/..;x=1/b", "/b"],
    ["/a/%2e%2e;/b", "/a/..;/b"],
    ["/a...", "/a..."],
    ["/a;b/c", "/a;b/c"],
    ["/%c3%a9%3B", "/%c3%a9%3B"],
    ["/%%34%31", "/%2541"],
    ["/a%zz%", "/a%zz%"],
    ['/"<>^`{|}', "/%22%3C%3E%5E%60%7B%7C%7D"],
    ["/a%2fb", "refused"],
    ["/a%5Cb", "refused"],
    ["/a%00b", "refused"],
    ["/a#b", "refused"],
    ["/\u00e9", "refused"],
    ["/a?\u00e9", "refused"],
    ["*", "refused"],
    ["", "refused"],
    ["?a", "refused"],
    ["a", "refused"],
  ])("of %s is %s", async (path, canonical) => {
    expect(expected(path)).toBe(canonical);
    expect(await passedOn(path)).toBe(canonical);
  });

  it("is what the real Envoy makes of any path", async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "/",
        "/",
        ".",
        "..",
        "%2e",
        "%2E",
        ";",
        "\\",
        "%",
        "%2",
        "%32",
        "%34",
        "1",
        "4",
        "f",
        "%66",
        "%2f",
        "%5C",
        "?",
        "{",
        "%3b",
        "#",
      ),
      fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code)),
      fc.integer({ min: 0, max: 0xff }).map((code) => `%${code.toString(16).padStart(2, "0")}`),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 10 }), async (pieces) => {
        const path = `/${pieces.join("")}`;
        expect(await passedOn(path)).toBe(expected(path));
      }),
      { numRuns: 1500 },
    );
  });
});
