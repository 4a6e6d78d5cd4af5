// SPDX-License-Identifier: Apache-2.0
// A broker of another make: aedes. Arguments: FOLDER with node_modules, PORT. Prints "listening".
'use strict'
const path = require('path')
const [folder, port] = process.argv.slice(2)
const Aedes = require(path.join(folder, 'node_modules', 'aedes'))
const broker = new Aedes({ concurrency: 1000, queueLimit: 100000 })
require('net').createServer(broker.handle).listen(Number(port), '127.0.0.1', () => console.log('listening'))
