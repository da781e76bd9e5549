/**
 * The worker with the WebAssembly build. Owns that choice.
 *
 * @module
 */

import { openWasmSession, runtime } from '../../web/session.mjs';
import { serve } from './worker.mjs';

await serve({ runtime, open: openWasmSession, provider: 'cpu' });
