/**
 * The process that does the work, started by `launch`. Owns its end: whatever happens, temporary files go and the exit code is told.
 *
 * @module
 */

import { errorText, InterruptedError } from '../core/errors.mjs';
import { run } from './cli.mjs';
import { removeTemporaryFiles } from './files.mjs';

/** The descriptor that is the launcher's stdout. */
const DATA_FD = 3;

const interrupted = new InterruptedError();

process.on('exit', removeTemporaryFiles);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    process.stderr.write(errorText(interrupted));
    process.exit(interrupted.exitCode);
  });
}
// The launcher is gone, so nobody waits for the answer.
process.on('disconnect', () => process.exit(interrupted.exitCode));
process.channel?.unref();

process.exit(await run(process.argv.slice(2), DATA_FD));
