/** What the chart's values say of sidecars, as the control plane reads it from the file that the chart mounts. */
import { readFileSync } from "node:fs";
import Type, { type Static } from "typebox";
import { cidrMistake } from "../../crds/core/cidr.ts";
import { itemAt } from "../../crds/core/field-path.ts";
import { checkSchema } from "../../crds/core/schema.ts";
import { violation, type Violation } from "../../crds/core/violation.ts";
import { ControlPlaneError } from "../control-plane-error.ts";
import type { InjectionSettings } from "../injector/injection-settings.ts";

const closed = { additionalProperties: false } as const;
const Port = Type.Integer({ minimum: 1, maximum: 65535 });
const Quantities = Type.Record(Type.String(), Type.String());
const oneOf = <const Values extends readonly string[]>(...values: Values) =>
  Type.Union(values.map((value: Values[number]) => Type.Literal(value)));

const InjectionFile = Type.Object(
  {
    image: Type.String({ minLength: 1 }),
    pullPolicy: oneOf("Always", "IfNotPresent", "Never"),
    resources: Type.Object({ requests: Type.Optional(Quantities), limits: Type.Optional(Quantities) }, closed),
    concurrency: Type.Integer({ minimum: 1, maximum: 128 }),
    logLevel: oneOf("error", "warning", "info", "debug"),
    ipv6: Type.Boolean(),
    farewellSeconds: Type.Integer({ minimum: 0, maximum: 300 }),
    excludeOutboundCIDRs: Type.Array(Type.String()),
    excludeOutboundPorts: Type.Array(Port),
  },
  closed,
);

export interface InjectionPlace {
  readonly version: string;
  readonly systemNamespace: string;
  readonly controlPlane: InjectionSettings["controlPlane"];
}

/** Throws a ControlPlaneError that names every mistake. */
export function readInjectionFile(file: string, place: InjectionPlace): InjectionSettings {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ControlPlaneError("InvalidInjectionFile", `${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const mistakes = checkSchema(InjectionFile, content, "");
  if (mistakes.length === 0) mistakes.push(...rangeMistakes((content as Static<typeof InjectionFile>).excludeOutboundCIDRs));
  if (mistakes.length > 0) {
    const words = mistakes.map(({ path, message }) => `${path}: ${message}`).join("; ");
    throw new ControlPlaneError("InvalidInjectionFile", `${file} does not say how pods are injected: ${words}`);
  }
  const { image, pullPolicy, resources, concurrency, logLevel, ipv6, farewellSeconds, ...excluded } = content as Static<
    typeof InjectionFile
  >;
  return {
    ...place,
    ...{ image, imagePullPolicy: pullPolicy, resources, concurrency, logLevel, ipv6, farewellSeconds },
    excluded: { inboundPorts: [], outboundPorts: excluded.excludeOutboundPorts, outboundCidrs: excluded.excludeOutboundCIDRs },
  };
}

/** Every pod's redirect would fail with a range that is none. */
function rangeMistakes(ranges: readonly string[]): Violation[] {
  return ranges.flatMap((range, index) => {
    const mistake = cidrMistake(range);
    return mistake === undefined
      ? []
      : [violation(itemAt("excludeOutboundCIDRs", index), "Invalid", `${JSON.stringify(range)} ${mistake}`)];
  });
}
