/** What one value costs by its size, measured: `npm run bench -- publish RESULTS.json` writes this file. */
import type { MeasuredCosts } from './costs.ts'

export const MEASURED_COSTS: MeasuredCosts = {
  date: '2026-11-30',
  machine: 'AMD EPYC, 2 cores, Linux 6.18, Node v20.20.2',
  points: {
    put: [
      [256, 12.7, 6.3],
      [512, 8.83, 7.2],
      [1024, 11.1, 9],
      [2048, 20.3, 8.94],
    ],
    overwrite: [
      [256, 12.5, 10.6],
      [512, 15.6, 9.64],
      [1024, 22.8, 13],
      [2048, 43.3, 33],
    ],
    get: [
      [256, 61.7, 8.15],
      [512, 10.5, 7.36],
      [1024, 12.6, 7.4],
      [2048, 14.8, 12.1],
    ],
    rangeEntry: [
      [256, 3.76, 5.53],
      [512, 2.4, 6.49],
      [1024, 3.53, 6],
      [2048, 7.96, 28],
    ],
    scanEntry: [
      [256, 1.95, 3.93],
      [512, 3.07, 4.7],
      [1024, 5.88, 5.96],
      [2048, 13.4, 23.8],
    ],
  },
}
