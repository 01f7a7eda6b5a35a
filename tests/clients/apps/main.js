// Applications over ioredis: argv is three ports; the first server is used most.
"use strict";

const { closeAll, connect } = require("./checks");
const locks = require("./locks");
const services = require("./services");
const collections = require("./collections_api");

const APPLICATIONS = [
  locks.lock,
  locks.redlock,
  services.limiter,
  services.leaderboard,
  services.queue,
  services.sessions,
  services.transfers,
  collections.everything,
];

async function main() {
  const ports = process.argv.slice(2, 5).map(Number);
  for (const application of APPLICATIONS) {
    await Promise.all(ports.map((port) => connect(port).flushall()));
    const began = Date.now();
    await application(ports);
    closeAll();
    console.log(`${application.name}: ${Date.now() - began} ms`);
  }
  console.log("all is well");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
