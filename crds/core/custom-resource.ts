/** What the API server is told of a kind beside its schema: what it can refuse by itself, and what `kubectl get` shows. */
export interface CustomResource {
  /** Shown by `kubectl get`, between the name and the age. */
  readonly columns: readonly PrinterColumn[];
  readonly rules: readonly CelRule[];
  /** Lists (`spec.rules`) whose items are told apart by their `name`: the server refuses two of one name. */
  readonly namedLists: readonly string[];
}

export interface PrinterColumn {
  readonly name: string;
  readonly description: string;
  readonly path: string;
  /** Shown by `kubectl get -o wide` only. */
  readonly wide?: boolean;
}

/**
 * A condition in CEL that must hold. It never stands alone: `validate` refuses the same in more words, for those who have
 * no API server; here it holds even while no control plane runs.
 */
export interface CelRule {
  /** Where it is judged: `` for the object, `spec`, or `spec.rules[]` for every item of a list. */
  readonly at: string;
  readonly rule: string;
  readonly message: string;
}

/** Columns that every policy has, beside its own. */
export const STATUS_COLUMNS: readonly PrinterColumn[] = [
  {
    name: "Accepted",
    description: "Whether the policy holds. The targets of one that does not refuse every request.",
    path: '.status.conditions[?(@.type=="Accepted")].status',
  },
  {
    name: "Programmed",
    description: "Whether every sidecar that the policy affects runs it.",
    path: '.status.conditions[?(@.type=="Programmed")].status',
  },
  {
    name: "Sidecars",
    description: "How many of the affected sidecars run it.",
    path: '.status.conditions[?(@.type=="Programmed")].message',
    wide: true,
  },
];

export const TARGET_COLUMNS: readonly PrinterColumn[] = [
  {
    name: "Target",
    description: "What the policy protects; the first where there are several.",
    path: ".spec['targetRefs', 'targetSelectors'][0].kind",
  },
  { name: "Of", description: "The name of that target.", path: ".spec.targetRefs[0].name" },
];

export const ENFORCEMENT_COLUMN: PrinterColumn = {
  name: "Enforcement",
  description: "Enforce acts; Audit only records what it would have done.",
  path: ".spec.enforcement",
};

/** What a label selector's requirements must say. */
export function selectorRules(at: string): readonly CelRule[] {
  return [
    {
      at: `${at}.matchExpressions[]`,
      rule: "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",
      message: "In and NotIn need at least one value; Exists and DoesNotExist take none",
    },
  ];
}

/** What `validateTargets` says. That a Namespace must be the policy's own cannot be said here: CEL does not see it. */
export const TARGET_RULES: readonly CelRule[] = [
  {
    at: "spec",
    rule: "has(self.targetRefs) != has(self.targetSelectors)",
    message: "say what the policy protects: exactly one of targetRefs (Namespace or Service) and targetSelectors (Pod)",
  },
  {
    at: "spec.targetRefs[]",
    rule: "self.kind != 'Service' || has(self.name)",
    message: "name the Service",
  },
  {
    at: "spec.targetRefs[]",
    rule: "!has(self.group) || self.group in ['', 'core']",
    message: "Namespace and Service are of the core group: leave group out",
  },
  ...selectorRules("spec.targetSelectors[]"),
];

/** What `ruleNameMistake` says, for the items of a list. */
export function nameRules(at: string): readonly CelRule[] {
  return [
    {
      at: `${at}.name`,
      rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && self != 'invalid'",
      message: "a name is lower-case letters, digits and dashes, with a letter or digit at both ends, and not `invalid`",
    },
  ];
}
