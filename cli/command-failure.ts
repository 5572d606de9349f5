import { EXIT, type ExitCode } from "./exit-code.ts";

/** Ends a command with a message that is for the user: it says what is wrong and what to do. No stack trace is shown. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exitCode: Exclude<ExitCode, 0>;

  private constructor(exitCode: Exclude<ExitCode, 0>, message: string, cause: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.exitCode = exitCode;
  }

  /** The command line or the input is wrong. */
  static usage(message: string, cause?: unknown): CommandFailure {
    return new CommandFailure(EXIT.usage, message, cause);
  }

  /** What was asked for could not be done. */
  static failed(message: string, cause?: unknown): CommandFailure {
    return new CommandFailure(EXIT.no, message, cause);
  }
}

/** Errors of the other layers that are written for users; their `code` is stable, their message says what to do. */
const WRITTEN_FOR_USERS = new Set([
  "StateError",
  "JoinTokenError",
  "CertificateError",
  "ControlPlaneError",
  "DeltaServerError",
  "AdminServerError",
  "ClusterAccessError",
  "KubernetesApiError",
  "PortForwardError",
]);

/** Turns whatever a command threw into words and an exit code: the one place where that happens. */
export function explainFailure(thrown: unknown): { readonly exitCode: ExitCode; readonly message: string } {
  if (thrown instanceof CommandFailure) return { exitCode: thrown.exitCode, message: thrown.message };
  if (!(thrown instanceof Error)) return { exitCode: EXIT.no, message: String(thrown) };
  const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
  if (WRITTEN_FOR_USERS.has(thrown.name)) {
    return { exitCode: code === "InvalidRequest" ? EXIT.usage : EXIT.no, message: thrown.message };
  }
  if (code !== undefined && "syscall" in thrown) return { exitCode: EXIT.no, message: systemFailure(code, thrown) };
  return { exitCode: EXIT.no, message: `unexpected failure: ${thrown.message} (SEAWALL_DEBUG=1 shows where)` };
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "there is no such file or folder"],
  ["EACCES", "permission denied"],
  ["EPERM", "not permitted"],
  ["EISDIR", "it is a folder"],
  ["ENOTDIR", "a part of the path is not a folder"],
  ["EEXIST", "it exists already"],
  ["EROFS", "the file system is read-only"],
  ["ENOSPC", "the disk is full"],
  ["EADDRINUSE", "another program listens there already"],
  ["EADDRNOTAVAIL", "this machine does not have that address"],
  ["ECONNREFUSED", "nothing listens there"],
]);

/** The reason behind a system error's code, in words. */
export function reasonOf(code: string): string {
  return REASONS.get(code) ?? code;
}

function systemFailure(code: string, error: Error): string {
  const path = "path" in error && typeof error.path === "string" ? error.path : undefined;
  const where =
    "address" in error && typeof error.address === "string" ? `${error.address}:${String("port" in error ? error.port : "")}` : path;
  return where === undefined ? `${reasonOf(code)} (${error.message})` : `${where}: ${reasonOf(code)}`;
}
