import { runCommandLine } from './command-line.js';
import { mainProcess } from './process/main-process.js';

await mainProcess((args) => runCommandLine(args));
