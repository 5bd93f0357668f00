// A plain MQTT broker in memory: what it held is lost with it, as in a broker without persistence.
import { createServer } from 'node:net';
import { Aedes } from 'aedes';

const broker = await Aedes.createBroker();
const server = createServer(broker.handle);
server.listen(Number(process.argv[2]), '127.0.0.1', () => {
  process.stdout.write('listening\n');
});
