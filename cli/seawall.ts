#!/usr/bin/env node
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

// What was compiled once starts twice as fast the next time. It is kept where only this user can put things.
enableCompileCache(join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "seawall", "compiled"));

// `seawall proxy config ... | head` closes the pipe early: that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const { runCommandLine } = await import("./command-line.ts");
const { processTerminal } = await import("./terminal.ts");
process.exitCode = await runCommandLine(process.argv.slice(2), processTerminal());
