/** YAML in, the complete list of violations out: \`line:column path reason message\`. */
import { describe, expect, it } from "@jest/globals";
import { knownKinds } from "../known-kinds.ts";
import { ManifestReader, type Manifest } from "./manifest.ts";
import { guard, pace, service, testKinds } from "./testing/kinds.ts";

const kinds = knownKinds(testKinds);

function read(text: string): Manifest {
  return new ManifestReader("f.yaml", kinds).read(Buffer.from(text));
}

function violationsOf(text: string): string[] {
  return read(text).violations.map(
    ({ line, column, path, reason, message, severity }) =>
      `${line}:${column} ${path === "" ? "-" : path} ${reason}${severity === "warning" ? " (warning)" : ""}: ${message}`,
  );
}

/** `key state`, and `hides` when the text may hide others. */
function summaryOf(text: string): string[] {
  const { objects, hiding } = read(text);
  return [...objects.map(({ key, content, line }) => `${line} ${key} ${content.state}`), ...(hiding.length > 0 ? ["hides"] : [])];
}

describe("a document that holds", () => {
  it("becomes an object, with the default namespace where it names none", () => {
    const text = `${guard("orders")}---\n${pace("fast", 3)}---\n# nothing\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n`;
    expect(violationsOf(text)).toEqual([]);
    expect(summaryOf(text)).toEqual(["2 Guard/shop/orders valid", "13 ClusterPace//fast valid", "20 ServiceAccount/default/web valid"]);
    expect(read(text).objects[2]!.content).toEqual({
      state: "valid",
      object: { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "web", namespace: "default" } },
    });
  });

  it("may be JSON, indented by tabs, with Windows line ends and a byte order mark", () => {
    const json = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } }, undefined, "\t");
    expect(summaryOf(json)).toEqual(["3 Namespace//shop valid"]);
    expect(summaryOf(`\uFEFF${guard("orders")}---\n${service("orders")}`.replaceAll("\n", "\r\n"))).toEqual([
      "2 Guard/shop/orders valid",
      "13 Service/shop/orders valid",
    ]);
  });

  it("may be a List", () => {
    const items = [service("a"), service("b")].map((text) => `- ${text.trimEnd().replaceAll("\n", "\n  ")}\n`).join("");
    expect(summaryOf(`apiVersion: v1\nkind: List\nitems:\n${items}`)).toEqual(["5 Service/shop/a valid", "9 Service/shop/b valid"]);
    expect(summaryOf("apiVersion: v1\nkind: List\nitems: []\n")).toEqual([]);
  });

  it("keeps what its kind warns of", () => {
    const text = guard("orders").replace("    from: [{namespaces: [Same]}]\n", "");
    expect(violationsOf(text)).toEqual(["8:3 spec.rules Invalid (warning): a rule lets everybody in"]);
    expect(summaryOf(text)).toEqual(["2 Guard/shop/orders valid"]);
  });

  it("may use anchors, and null for what a Kubernetes object does not have", () => {
    const text = `apiVersion: v1
kind: Pod
metadata: {name: web, creationTimestamp: null, labels: &labels {app: web}, annotations: *labels}
spec: {containers: [{name: web, ports: null}], volumes: [{secret: {defaultMode: 0644}}], tty: yes}
status: {podIP: 127.0.0.9, phase: null}
`;
    expect(violationsOf(text)).toEqual([]);
  });
});

describe("every mistake is told, with its place", () => {
  const cases: Record<string, readonly [text: string, violations: readonly string[]]> = {
    "in the spec": [
      guard("orders", "  enforcment: Audit\n  targetRefs:\n  - kind: Servise\n    name: orders\n").replace("action: Allow", "action: Alow"),
      [
        '7:11 spec.action Invalid: unknown value "Alow": did you mean Allow?',
        "11:3 spec.enforcment UnknownField: unknown field `enforcment`: did you mean `enforcement`?",
        '13:11 spec.targetRefs[0].kind Invalid: unknown value "Servise": did you mean Service?',
      ],
    ],
    "in what the kind itself checks": [
      guard("orders")
        .replace("Allow", "Deny")
        .replace(/rules:[^]*$/, "rules: []\n"),
      ["8:3 spec.rules Required: a Deny needs a rule"],
    ],
    "in the metadata": [
      guard("Orders")
        .replace("  namespace: shop", "  namespace: a.b\n  lables: {app: web}\n  labels:\n    tier: 3\n    app.kubernetes.io/version: 1.0")
        .replace("kind: Guard", "kind: Guard\nstats: {}"),
      [
        "3:1 stats UnknownField: unknown field `stats`: did you mean `status`?",
        '5:9 metadata.name Invalid: "Orders" is no name: lower-case letters, digits, `-` and `.` only, with a letter or digit at both ends',
        '6:14 metadata.namespace Invalid: "a.b" is no name: lower-case letters, digits and `-` only, with a letter or digit at both ends',
        "7:3 metadata.lables UnknownField: unknown field `lables`: did you mean `labels`?",
        "9:11 metadata.labels.tier WrongType: must be a string: quote 3",
        "10:32 metadata.labels[app.kubernetes.io/version] WrongType: must be a string: quote 1",
      ],
    ],
    "a missing spec": [guard("orders").replace(/spec:[^]*$/, ""), ["1:1 spec Required: is required"]],
    "a namespace of a cluster-scoped object": [
      pace("fast", 1).replace("name: fast", "name: fast, namespace: shop"),
      ["3:35 metadata.namespace Invalid: ClusterPace is cluster scoped: remove the namespace"],
    ],
    "a wrong group": [
      guard("orders").replace("seawall.dev/v1alpha1", "seawall.io/v1"),
      ['1:13 apiVersion Invalid: Guard is of seawall.dev/v1alpha1, not of "seawall.io/v1"'],
    ],
    "a wrong version of a Kubernetes kind": [
      service("a").replace("apiVersion: v1", "apiVersion: v2"),
      ['1:13 apiVersion Invalid: Service is of v1, not of "v2"'],
    ],
    "no version": [guard("orders").replace(/^.*\n/, ""), ["1:1 apiVersion Required: is required: seawall.dev/v1alpha1"]],
    "a kind that is nearly known": [
      guard("orders").replace("kind: Guard", "kind: Gaurd"),
      ["2:7 kind UnknownKind: unknown kind `Gaurd`: did you mean `Guard`?"],
    ],
    "a kind of ours that is not known": [
      guard("orders").replace("kind: Guard", "kind: Firewall"),
      [
        "2:7 kind UnknownKind: unknown kind `Firewall`: possible are `Namespace`, `ServiceAccount`, `Pod`, `Service`, `EndpointSlice`, `Secret`, `ConfigMap`, `HTTPRoute`, `Guard`, `ClusterPace`",
      ],
    ],
    "a kind of somebody else's": [
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n---\napiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: web}\n",
      [
        "2:7 kind UnknownKind (warning): Deployment of apps/v1 is no kind that Seawall reads: it is ignored",
        "6:7 kind UnknownKind (warning): Service of serving.knative.dev/v1 is no kind that Seawall reads: it is ignored",
      ],
    ],
    "no kind": ["apiVersion: v1\nmetadata: {name: web}\n", ["1:1 kind Required: must be the kind of the object"]],
    "no name": [service("a").replace("name: a, ", ""), ["3:1 metadata.name Required: must be the name of the object"]],
    "a name that leads out of its place": [
      service("a").replace("name: a,", "name: a/b,"),
      ["3:18 metadata.name Invalid: must be the name of the object"],
    ],
    "a name that is a number": [
      guard("123").replace("namespace: shop", "namespace: 5"),
      ["4:9 metadata.name WrongType: must be a string: quote 123", "5:14 metadata.namespace WrongType: must be a string: quote 5"],
    ],
    "no object at all": [
      "- a\n- b\n---\njust text\n",
      [
        "1:1 - Malformed: must be an object with apiVersion, kind and metadata",
        "4:1 - Malformed: must be an object with apiVersion, kind and metadata",
      ],
    ],
    "in an item of a List": [
      `kind: List\napiVersion: v1\nitems:\n- ${service("a", "http").trimEnd().replaceAll("\n", "\n  ")}\n- kind: Service\n- 5\n`,
      [
        '7:45 spec.ports[0].port WrongType: must be an integer, found the string "http"',
        "8:3 metadata Required: must hold the name of the object",
        "9:3 - Malformed: must be an object with apiVersion, kind and metadata",
      ],
    ],
    "a List of nothing": [
      "kind: List\nitems: 5\n",
      ["1:1 apiVersion Invalid: must be v1: a List is a core kind", "2:8 items WrongType: must be a list of objects"],
    ],
  };
  it.each(Object.entries(cases))("%s", (_name, [text, violations]) => {
    expect(violationsOf(text)).toEqual(violations);
  });
});

describe("what YAML 1.1 would turn into something else", () => {
  it.each(["NO", "no", "yes", "on", "Off", "y", "N"])("is refused: %s", (word) => {
    expect(violationsOf(guard("orders").replace("[Same]", `[${word}]`))).toEqual([
      `10:26 spec.rules[0].from[0].namespaces[0] Invalid: ${word} is a string to YAML 1.2 and a boolean to YAML 1.1: quote it, or write true or false`,
    ]);
  });

  it.each([
    ["12:30", "is a string to YAML 1.2 and a number in base 60 to YAML 1.1: quote it"],
    ["0755", "is a decimal number to some and an octal one to others: quote it, or write it without the leading zero"],
    ["0o17", "is a decimal number to some and an octal one to others: quote it, or write it without the leading zero"],
    ["1_000", "is a string to YAML 1.2 and a number to YAML 1.1: quote it, or write it without the underscore"],
    ["0b11", "is a string to YAML 1.2 and a number to YAML 1.1: quote it"],
    ["12345678901234567890", "is too large to be kept exactly as a number: quote it"],
  ])("is refused: %s", (word, message) => {
    expect(violationsOf(guard("orders").replace("[Same]", `[${word}]`))).toEqual([
      `10:26 spec.rules[0].from[0].namespaces[0] Invalid: ${word} ${message}`,
    ]);
  });

  it("is refused where it is a key, and where a Kubernetes object is read", () => {
    expect(violationsOf(service("a").replace("{app: a}", "{on: a, b: no}"))).toEqual([
      "4:19 spec.selector.on Invalid: on is a string to YAML 1.2 and a boolean to YAML 1.1: quote it, or write true or false",
      "4:29 spec.selector.b Invalid: no is a string to YAML 1.2 and a boolean to YAML 1.1: quote it, or write true or false",
    ]);
  });

  it("is taken in quotes, in block scalars, and with a tag that says what it is", () => {
    expect(violationsOf(guard("orders").replace("[Same]", '["no", \'on\', !!str 0755, "12:30", nobody, y1, 1.2.3.4, a:b]'))).toEqual([]);
    expect(violationsOf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: |\n    no\n  b: >-\n    12:30\n")).toEqual([]);
  });

  it("is not shown where it is a secret", () => {
    expect(violationsOf('apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {pin: 0755, count: 7}\ndata: {k: "?"}\n')).toEqual([
      "4:19 stringData.pin Invalid: the value is a decimal number to some and an octal one to others: quote it, or write it without the leading zero",
      "4:32 stringData.count WrongType: must be a string: quote it",
      "5:11 data.k Malformed: must be base64: encode it, or write it under stringData",
    ]);
  });
});

describe("what is not YAML", () => {
  const cases: Record<string, readonly [text: string, violations: readonly string[], summary: readonly string[]]> = {
    "a tab": [
      guard("a").replace("  action", "\taction"),
      ["7:1 - Malformed: a tab cannot indent: use spaces"],
      ["2 Guard/shop/a broken", "hides"],
    ],
    "a key twice": [
      guard("a").replace("  action: Allow", "  action: Allow\n  action: Deny"),
      ["8:3 - Duplicate: the key stands here for the second time: remove one of the two"],
      ["2 Guard/shop/a broken", "hides"],
    ],
    "two documents without a line between": [
      guard("a") + guard("b"),
      ["11:1 - Duplicate: the key stands here for the second time: remove one of the two", "12:1", "13:1", "16:1"].map((text) =>
        text.includes("-") ? text : `${text} - Duplicate: the key stands here for the second time: remove one of the two`,
      ),
      ["2 Guard/shop/b broken", "hides"],
    ],
    "an unclosed list": [
      guard("a").replace("[Same]}]", "[Same]"),
      ["11:1 - Malformed: is not YAML: Flow map in block collection must be sufficiently indented and end with a }"],
      ["2 Guard/shop/a broken", "hides"],
    ],
    "a template": [
      "kind: {{ .Values.kind }}\n",
      [
        "1:1 kind WrongType: must be the kind of the object",
        "1:8 - Malformed: a key must be a string (is this a template that has not been rendered?)",
      ],
      ["hides"],
    ],
    "a directive": [
      `%YAML 1.1\n---\n${service("a")}`,
      ["1:1 - Malformed: directives such as %YAML are not supported: remove the line"],
      ["4 Service/shop/a valid", "hides"],
    ],
    "a merge key": [
      service("a").replace("{app: a}", "{<<: {b: c}, app: a}"),
      ["4:19 - Malformed: merge keys (<<) are not YAML 1.2: write the fields out"],
      ["2 Service/shop/a broken", "hides"],
    ],
    "an alias to nothing": [
      service("a").replace("{app: a}", "*labels"),
      ["4:18 - Malformed: *labels stands for nothing: no &labels comes before it"],
      ["2 Service/shop/a broken", "hides"],
    ],
    "a bomb of aliases": [
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\na: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c]\n`,
      ["5:8 - Malformed: repeats itself too often by aliases (*name): write it out"],
      ["2 ConfigMap/default/a broken", "hides"],
    ],
    "an unknown tag": [
      service("a").replace("{app: a}", "!env {app: a}"),
      ["4:18 - Malformed: tags are not supported: Unresolved tag: !env"],
      ["2 Service/shop/a broken", "hides"],
    ],
  };
  it.each(Object.entries(cases))("%s", (_name, [text, violations, summary]) => {
    expect(violationsOf(text)).toEqual(violations);
    expect(summaryOf(text)).toEqual(summary);
  });

  it("is told once when it is nested too deeply", () => {
    expect(violationsOf(`a: ${"[".repeat(50_000)}`).filter((found) => found.includes("Malformed"))).toEqual([
      expect.stringContaining("is nested too deeply"),
    ]);
  });

  it("does not touch the other documents of the file", () => {
    const text = `${service("a")}---\nspec: "unclosed\n---\n${service("b")}---\nkind: {\n...\n${service("c")}`;
    expect(summaryOf(text)).toEqual(["2 Service/shop/a valid", "9 Service/shop/b valid", "16 Service/shop/c valid", "hides"]);
    expect(violationsOf(text).map((found) => found.split(" ")[0])).toEqual(["6:1", "7:1", "13:1", "14:1"]);
  });
});

describe("what is no text", () => {
  it.each([
    ["not UTF-8", Buffer.from([0x61, 0x0a, 0x62, 0xff, 0x0a]), "2:1 is not UTF-8: save the file as UTF-8"],
    ["UTF-16", Buffer.from("\uFEFFa: b\n", "utf16le"), "1:1 is UTF-16: save the file as UTF-8"],
    ["a NUL", Buffer.from("a: b\nc: \0\n"), "2:4 holds a NUL character, which no YAML text may"],
    ["a control character", Buffer.from("a: \x1b[31m\n"), "1:4 holds the control character U+001B, which no YAML text may"],
  ])("is refused as a whole: %s", (_name, bytes, expected) => {
    const { violations, hiding, objects } = new ManifestReader("f.yaml", kinds).read(bytes);
    expect(violations.map(({ line, column, message }) => `${line}:${column} ${message}`)).toEqual([expected]);
    expect([hiding.length, objects.length]).toEqual([1, 0]);
  });
});

describe("the Kubernetes kinds", () => {
  it("are held to what is read of them, and to nothing else", () => {
    const text = `apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
  - name: a
    anything: 5
    ports: [{containerPort: 70000}, {containerPort: http, protocol: tcp}]
status: {podIP: 127.0.0.300}
---
apiVersion: v1
kind: Pod
metadata: {name: b}
status: {podIP: 127.0.0.300}
---
apiVersion: v1
kind: Service
metadata: {name: a}
spec:
  clusterIP: here
  selector: {app: web}
  ports: [{port: 80}, {port: 80, name: a}, {port: 81, name: a, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: b}
spec: {selector: {app: 5, tier: [x]}, ports: [{port: 0, targetPort: true}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: a}
addressType: IPv4
endpoints: [{addresses: ["127.0.0.1", "::1"]}, {addresses: []}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: b}
addressType: IPv6
endpoints: [{addresses: ["127.0.0.1", "::1"]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {a: 5}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a, lables: {}}
`;
    expect(violationsOf(text).map((found) => found.replace(/: .*/, ""))).toEqual([
      "8:29 spec.containers[0].ports[0].containerPort Invalid",
      "8:53 spec.containers[0].ports[1].containerPort WrongType",
      "8:69 spec.containers[0].ports[1].protocol Invalid",
      "14:17 status.podIP Invalid",
      "20:14 spec.clusterIP Invalid",
      "22:11 spec.ports[0].name Required",
      "22:30 spec.ports[1].port Duplicate",
      "22:61 spec.ports[2].name Duplicate",
      "27:24 spec.selector.app WrongType",
      "27:27 spec.selector.tier WrongType",
      "27:54 spec.ports[0].port Invalid",
      "27:69 spec.ports[0].targetPort WrongType",
      "33:49 endpoints[1].addresses Invalid",
      "39:26 endpoints[0].addresses[0] Invalid",
      "44:11 data.a WrongType",
      "46:1 spec Required",
      "48:21 metadata.lables UnknownField (warning)",
    ]);
  });
});

describe("a version that follows another", () => {
  it("reads only the documents whose text is new", () => {
    let checks = 0;
    const reader = new ManifestReader(
      "f.yaml",
      knownKinds(testKinds, () => {
        checks++;
        return [];
      }),
    );
    const before = reader.read(Buffer.from(`${guard("a")}---\n${guard("b")}---\n${guard("c")}`));
    expect(checks).toBe(3);
    const after = reader.read(
      Buffer.from(`# a line more\n---\n${guard("a")}---\n${guard("b", "  enforcement: Audit\n")}---\n${guard("c")}`),
    );
    expect(checks).toBe(5);
    expect(after.objects.map(({ line }) => line)).toEqual([4, 15, 27]);
    expect(after.objects[2]!.content).toBe(before.objects[2]!.content);
  });
});

it("a check that throws leaves the object broken, not the source", () => {
  const throwing = knownKinds(testKinds, () => {
    throw new Error("oops");
  });
  const { objects, violations } = new ManifestReader("f.yaml", throwing).read(Buffer.from(guard("a")));
  expect(objects.map(({ content }) => content.state)).toEqual(["broken"]);
  expect(violations.map(({ message }) => message)).toEqual(["could not be checked, which is a bug in Seawall: oops"]);
});
