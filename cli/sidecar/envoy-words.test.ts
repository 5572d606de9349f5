import { describe, expect, it } from "@jest/globals";
import { readEnvoyLine } from "./envoy-words.ts";

const CLOSED = "[warning][config] DeltaAggregatedResources gRPC config stream to xds closed";
const NO_CONNECTION =
  "14, upstream connect error or disconnect/reset before headers. reset reason: remote connection failure{upstream_reset_before_response_started{remote_connection_failure";
const tls = (words: string): string =>
  `${CLOSED} since 3s ago: ${NO_CONNECTION}|TLS_error:|268435581:SSL_routines:OPENSSL_internal:${words}:TLS_error_end}}`;

/** Every line is one that Envoy 1.40 wrote. */
describe("what Envoy's log means", () => {
  it.each([
    [
      `${CLOSED} since 3s ago: ${NO_CONNECTION}|delayed_connect_error:_Connection_refused}}`,
      { kind: "unreachable", words: "connection refused" },
    ],
    [
      tls(
        "CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_X509_verify_cert:_certificate_verification_error_at_depth_0:_self_signed_certificate",
      ),
      { kind: "untrusted", words: "self signed certificate" },
    ],
    [
      tls("CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_SAN_matcher,_certificate_SANs_are_[other.example]"),
      { kind: "other-name", names: "other.example" },
    ],
    [tls("WRONG_VERSION_NUMBER"), { kind: "no-tls" }],
    [`${CLOSED}: 16, there%20is%20no%20pod%20shop/x{via_upstream}`, { kind: "token-refused", words: "there is no pod shop/x" }],
    [`${CLOSED}: 7, denied{via_upstream}`, { kind: "token-refused", words: "denied" }],
    [`${CLOSED} since 2s ago: 14, later{via_upstream}`, { kind: "stream-closed", status: 14, words: "later" }],
    [
      "[error][config] listener 'inbound/8080' failed to bind or apply socket options: cannot bind '127.0.0.1:19444': Address already in use",
      { kind: "port-occupied", listener: "inbound/8080", address: "127.0.0.1", port: 19444 },
    ],
    [
      "[error][config] listener 'inbound/8081' failed to bind or apply socket options: cannot bind '192.0.2.77:19444': Cannot assign requested address",
      { kind: "port-refused", listener: "inbound/8081", address: "192.0.2.77:19444", words: "this machine does not have that address" },
    ],
    [
      "[warning][upstream] lds: listener 'inbound/8080' config rejected: cannot bind '127.0.0.1:19444': Address already in use",
      { kind: "noise" },
    ],
    ["inbound/8081: cannot bind '192.0.2.77:19444': Cannot assign requested address", { kind: "noise" }],
    [
      "[warning][main] There is no configured limit to the number of allowed active downstream connections. Configure a limit in `envoy.resource_monitors.global_downstream_max_connections` resource monitor.",
      { kind: "noise" },
    ],
    ["[warning][main] something new", { kind: "other", level: "warning", words: "something new" }],
  ])("reads %s", (line, notice) => {
    expect(readEnvoyLine(line)).toEqual(notice);
  });
});
