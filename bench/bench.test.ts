import { describe, expect, it } from "@jest/globals";
import { runScenario } from "./scenario.ts";

describe("the bench", () => {
  it.each([
    { transport: "tls", insecureXds: false },
    { transport: "plaintext", insecureXds: true },
  ] as const)("sees over $transport that an edit reaches exactly the sidecars that it is for", async ({ transport, insecureXds }) => {
    const result = await runScenario({
      shape: { sidecars: 10, services: 5, policies: 5, selected: 4, callers: 2, spread: insecureXds },
      insecureXds,
      edits: 3,
      windowMs: 30,
      nodeOptions: [],
      progress: () => undefined,
    });
    expect(result.transport).toBe(transport);
    expect(result.selectorEdit).toMatchObject({ edits: 3, expected: 4, touched: [4, 4], exact: true });
    expect(result.endpointChange).toMatchObject({ edits: 3, expected: 4, touched: [4, 4], exact: true });
    expect(result.meshEdit).toMatchObject({ edits: 3, expected: 10, touched: [10, 10], exact: true });
  });
});
