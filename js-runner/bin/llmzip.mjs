#!/usr/bin/env node
import { launch } from '../src/node/launch.mjs';

launch(process.argv.slice(2));
