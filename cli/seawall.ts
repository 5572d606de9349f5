#!/usr/bin/env node
import { runCommandLine } from "./command-line.ts";
import { processTerminal } from "./terminal.ts";

// `seawall proxy config ... | head` closes the pipe early: that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

process.exitCode = await runCommandLine(process.argv.slice(2), processTerminal());
