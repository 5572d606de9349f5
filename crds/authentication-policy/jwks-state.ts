/** What is known of an issuer's published keys right now. */
export type JwksState =
  | {
      readonly state: "good";
      /** A JSON Web Key Set as `parseJwks` gives it. */
      readonly keys: string;
    }
  /** Never fetched so far (pending), or fetched without success. Tokens of the issuer are refused meanwhile. */
  | { readonly state: "pending" | "failed"; readonly error: string };

/** Looks up what was fetched from a uri. */
export type JwksOf = (uri: string) => JwksState;
