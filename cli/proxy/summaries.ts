/** Envoy's configuration in a few readable columns a part. */
import { X509Certificate } from "node:crypto";
import { describeDuration } from "../duration.ts";
import { type Comparison, describeAgreement } from "./comparison.ts";
import { type Json, record, records, type RunningConfig, type RunningResource, text } from "./config-dump.ts";
import type { ConfigPart } from "./config-part.ts";

export interface Summary {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One row or more for each resource of the part, and one for each that is missing. */
export function summarize(part: ConfigPart, running: RunningConfig, comparison: Comparison, now: number): Summary {
  const { columns, rows } = SUMMARIES[part];
  const described = running[part].flatMap((resource) => {
    const state = describeAgreement(comparison[part].get(resource.name));
    return rows(resource, now).map((row, index) => [...row, ...(index === 0 ? [resource.version?.slice(0, 16) ?? "", state] : ["", ""])]);
  });
  const missing = [...comparison[part]].filter(([, { kind }]) => kind === "missing");
  const empty = columns.slice(1).map(() => "");
  return {
    columns: [...columns, "version", "state"],
    rows: [...described, ...missing.map(([name, agreement]) => [name, ...empty, "", describeAgreement(agreement)])],
  };
}

interface PartSummary {
  readonly columns: readonly string[];
  readonly rows: (resource: RunningResource, now: number) => readonly (readonly string[])[];
}

const SUMMARIES: Readonly<Record<ConfigPart, PartSummary>> = {
  listeners: {
    columns: ["name", "address", "direction", "filter chains"],
    rows: ({ name, resource }) => [
      [name, address(record(resource["address"])), text(resource["traffic_direction"]).toLowerCase(), filterChains(resource)],
    ],
  },
  routes: {
    columns: ["name", "virtual host", "domains", "route", "match", "to"],
    rows: ({ name, resource }) =>
      records(resource["virtual_hosts"]).flatMap((host, hostIndex) =>
        records(host["routes"]).map((route, index) => [
          hostIndex + index === 0 ? name : "",
          index === 0 ? text(host["name"]) : "",
          index === 0 ? domains(host) : "",
          text(route["name"]),
          match(record(route["match"])),
          action(route),
        ]),
      ),
  },
  clusters: {
    columns: ["name", "endpoints by", "protocol", "transport"],
    rows: ({ name, resource }) => [[name, text(resource["type"]) || "STATIC", protocol(resource), transport(resource)]],
  },
  endpoints: {
    columns: ["cluster", "address", "transport", "health"],
    rows: ({ name, resource }) => {
      const endpoints = records(resource["endpoints"]).flatMap((locality) => records(locality["lb_endpoints"]));
      if (endpoints.length === 0) return [[name, "none", "", ""]];
      return endpoints.map((endpoint, index) => [
        index === 0 ? name : "",
        address(record(record(endpoint["endpoint"])?.["address"])),
        isMesh(endpoint) ? "mesh mTLS" : "plaintext",
        text(endpoint["health_status"]).toLowerCase(),
      ]);
    },
  },
  secrets: {
    columns: ["name", "kind", "holds", "ends"],
    rows: ({ name, resource }, now) => [[name, ...secret(resource, now)]],
  },
  extensions: {
    columns: ["name", "type", "holds"],
    rows: ({ name, resource }) => {
      const config = record(resource["typed_config"]) ?? {};
      const type = text(config["@type"]).split(".").at(-1) ?? "";
      const providers = Object.values(record(config["providers"]) ?? {}).map((provider) => text(record(provider)?.["issuer"]));
      const issuers = [...new Set(providers)].filter((issuer) => issuer !== "" && !issuer.startsWith("urn:seawall:"));
      return [[name, type, issuers.length > 0 ? `tokens of ${issuers.join(", ")}` : policyNames(config).join(", ")]];
    },
  },
};

function address(value: Json | undefined): string {
  const socket = record(value?.["socket_address"]);
  return socket === undefined ? "" : `${text(socket["address"])}:${text(socket["port_value"])}`;
}

function filterChains(listener: Json): string {
  const named = records(listener["filter_chains"]).map((chain) => (chain["transport_socket"] === undefined ? "plaintext" : "mesh mTLS"));
  const rest = record(listener["default_filter_chain"]);
  return [...new Set([...named, ...(rest === undefined ? [] : ["plaintext"])])].join(" or ");
}

function domains(host: Json): string {
  const all = Array.isArray(host["domains"]) ? host["domains"].map(String) : [];
  return all.length > 2 ? `${all.slice(0, 2).join(", ")} and ${all.length - 2} more` : all.join(", ");
}

function match(value: Json | undefined): string {
  const path = text(value?.["prefix"] ?? value?.["path"] ?? value?.["path_separated_prefix"]);
  const shown =
    path !== ""
      ? value?.["path"] === undefined
        ? `${path}*`
        : path
      : record(value?.["safe_regex"])
        ? `~ ${text(record(value?.["safe_regex"])?.["regex"])}`
        : "any";
  const headers = records(value?.["headers"]).map((header) => text(header["name"]));
  return headers.length === 0 ? shown : `${shown} (${headers.join(", ")})`;
}

function action(route: Json): string {
  const direct = record(route["direct_response"]);
  if (direct !== undefined) return `answers ${text(direct["status"])}`;
  if (record(route["redirect"]) !== undefined) return "redirect";
  const to = record(route["route"]);
  const weighted = records(record(to?.["weighted_clusters"])?.["clusters"]);
  if (weighted.length > 0) return weighted.map((cluster) => `${text(cluster["weight"]) || "0"} ${text(cluster["name"])}`).join(", ");
  return text(to?.["cluster"]);
}

function protocol(cluster: Json): string {
  const options = Object.values(record(cluster["typed_extension_protocol_options"]) ?? {}).map(record);
  const explicit = record(options[0]?.["explicit_http_config"]);
  if (explicit === undefined) return "TCP";
  return explicit["http2_protocol_options"] === undefined ? "HTTP/1.1" : "HTTP/2";
}

function transport(cluster: Json): string {
  const matches = records(cluster["transport_socket_matches"]).map(({ name }) => (name === "mesh" ? "mesh mTLS" : text(name)));
  return matches.length === 0 ? "plaintext" : matches.join(" or ");
}

function isMesh(endpoint: Json): boolean {
  const metadata = record(record(endpoint["metadata"])?.["filter_metadata"]);
  return record(metadata?.["envoy.transport_socket_match"])?.["transport"] === "mesh";
}

/** What a secret is about; its key is not looked at. */
function secret(resource: Json, now: number): readonly string[] {
  const certificate = record(resource["tls_certificate"]);
  const validation = record(resource["validation_context"]);
  if (certificate !== undefined) return ["certificate", ...describeCertificates(record(certificate["certificate_chain"]), now)];
  if (validation !== undefined) return ["roots", ...describeCertificates(record(validation["trusted_ca"]), now)];
  if (resource["generic_secret"] !== undefined) return ["token", "not shown", ""];
  return ["", "", ""];
}

function describeCertificates(source: Json | undefined, now: number): readonly [string, string] {
  const bytes = text(source?.["inline_bytes"]);
  const pem = text(source?.["inline_string"]) || Buffer.from(bytes, "base64").toString("utf8");
  const [leaf] = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (leaf === undefined) return ["", ""];
  const certificate = new X509Certificate(leaf);
  const uri = /URI:([^,\s]+)/.exec(certificate.subjectAltName ?? "")?.[1];
  const left = certificate.validToDate.getTime() - now;
  const ends = left > 0 ? `in ${describeDuration(left)}` : `${describeDuration(left)} ago`;
  return [uri ?? certificate.subject.replaceAll("\n", ", "), ends];
}

/** The names of RBAC policies, which are those of the rules. */
function policyNames(config: Json): string[] {
  return Object.keys(record(record(config["rules"])?.["policies"]) ?? {});
}
