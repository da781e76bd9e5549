/**
 * The worker with the WebGPU build. Owns that choice.
 *
 * @module
 */

import { openWebgpuSession, runtime } from '../../web/webgpu-session.mjs';
import { serve } from './worker.mjs';

await serve({ runtime, open: openWebgpuSession, provider: 'webgpu' });
