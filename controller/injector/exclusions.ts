/** The annotations by which a pod keeps some of its traffic from the sidecar. */
import { cidrMistake } from "../../crds/core/cidr.ts";
import { fieldAt } from "../../crds/core/field-path.ts";
import { violation, type Violation } from "../../crds/core/violation.ts";
import type { Exclusions } from "./injection-settings.ts";

export const EXCLUSION_ANNOTATIONS = {
  inboundPorts: "seawall.dev/exclude-inbound-ports",
  outboundPorts: "seawall.dev/exclude-outbound-ports",
  outboundCidrs: "seawall.dev/exclude-outbound-cidrs",
} as const;

type Annotations = Readonly<Record<string, string>>;

/** What the annotations ask for; whatever is wrong with them is added to `found`. */
export function readExclusions(annotations: Annotations, found: Violation[]): Exclusions {
  return {
    inboundPorts: ports(annotations, EXCLUSION_ANNOTATIONS.inboundPorts, found),
    outboundPorts: ports(annotations, EXCLUSION_ANNOTATIONS.outboundPorts, found),
    outboundCidrs: items(annotations, EXCLUSION_ANNOTATIONS.outboundCidrs).filter((range) => {
      const mistake = cidrMistake(range);
      if (mistake !== undefined) found.push(wrong(EXCLUSION_ANNOTATIONS.outboundCidrs, `${JSON.stringify(range)}: ${mistake}`));
      return mistake === undefined;
    }),
  };
}

export function together(one: Exclusions, other: Exclusions): Exclusions {
  return {
    inboundPorts: [...new Set([...one.inboundPorts, ...other.inboundPorts])],
    outboundPorts: [...new Set([...one.outboundPorts, ...other.outboundPorts])],
    outboundCidrs: [...new Set([...one.outboundCidrs, ...other.outboundCidrs])],
  };
}

function ports(annotations: Annotations, name: string, found: Violation[]): number[] {
  return items(annotations, name).flatMap((item) => {
    const port = /^\d{1,5}$/.test(item) ? Number(item) : 0;
    if (port >= 1 && port <= 65535) return [port];
    found.push(wrong(name, `${JSON.stringify(item)} is not a port: write numbers with commas between, such as "9000,9001"`));
    return [];
  });
}

function items(annotations: Annotations, name: string): string[] {
  return (annotations[name] ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function wrong(annotation: string, message: string): Violation {
  return violation(fieldAt("metadata.annotations", annotation), "Invalid", message);
}
