import Type, { type Static } from "typebox";
import { checkSchema } from "../../crds/core/schema.ts";

const Text = Type.String({ minLength: 1 });

/** What `seawall explain` asks. */
export const ExplainRequest = Type.Object(
  {
    from: Type.Optional(
      Type.Object(
        {
          serviceAccount: Type.Optional(
            Type.String({ pattern: "^[^/]+/[^/]+$", description: "namespace/name; absent for a caller without identity." }),
          ),
          address: Type.Optional(Type.String({ minLength: 1, description: "The TCP peer. Default 127.0.0.1." })),
        },
        { additionalProperties: false },
      ),
    ),
    to: Type.Object(
      { namespace: Text, service: Text, port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })) },
      { additionalProperties: false },
    ),
    method: Type.Optional(Text),
    path: Type.Optional(Text),
    host: Type.Optional(Text),
    headers: Type.Optional(Type.Array(Type.Array(Type.String(), { minItems: 2, maxItems: 2, description: "name and value" }))),
    claims: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: "Claims of a token that is taken as verified; iss is its issuer." }),
    ),
  },
  { additionalProperties: false },
);
export type ExplainRequest = Static<typeof ExplainRequest>;

export type ReadRequest =
  { readonly kind: "request"; readonly request: ExplainRequest } | { readonly kind: "mistakes"; readonly mistakes: readonly string[] };

/** Reads what came over the wire; every mistake at once. */
export function readExplainRequest(body: unknown): ReadRequest {
  const mistakes = checkSchema(ExplainRequest, body, "").map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  return mistakes.length > 0 ? { kind: "mistakes", mistakes } : { kind: "request", request: body as ExplainRequest };
}
