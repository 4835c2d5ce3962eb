// Drives node-metaverse's Bot: JSON commands on stdin, what it saw on stdout (see tests/clients/driver.py).
// Uses nothing of ours.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

// The library logs to the console; stdout belongs to the protocol with pytest.
for (const level of ['log', 'info', 'warn', 'debug']) console[level] = (...words) => console.error(...words)

const library = (await import('@caspertech/node-metaverse')).default
const { Bot, LoginParameters, BotOptionFlags, UUID, Vector3, ControlFlags, PacketFlags } = library
const internals = createRequire(createRequire(import.meta.url).resolve('@caspertech/node-metaverse'))
const { Message } = internals('./enums/Message')
const messages = internals('./classes/MessageClasses')
const Long = internals('long')

// Too many, or of no use to a scenario.
const untold = new Set(['PacketAck', 'StartPingCheck', 'CompletePingCheck', 'ImprovedTerseObjectUpdate', 'LayerData',
  'SimulatorViewerTimeMessage'])

const tell = (line) => process.stdout.write(JSON.stringify(line) + '\n')

// JSON for a value of the wire: ids as text, text without its NUL, other bytes in hex, vectors as lists.
function plain(value) {
  if (value === null || value === undefined) return null
  if (Buffer.isBuffer(value)) {
    return value.length === 0 || value[value.length - 1] === 0
      ? value.toString('utf8').replace(/\0+$/, '') : value.toString('hex')
  }
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof UUID) return value.toString()
  if (Long.isLong(value)) return value.toUnsigned().toString()
  if (typeof value === 'object') {
    if ('x' in value && 'y' in value) return [value.x, value.y, value.z, value.w].filter((part) => part !== undefined)
    const maps = {}
    for (const [key, item] of Object.entries(value)) {
      if (typeof item !== 'function' && !['messageFlags', 'id', 'name'].includes(key)) maps[key] = plain(item)
    }
    return maps
  }
  return value
}

// An event of the library's own, as one block named after it.
const told = (name, fields) => tell({ event: name, body: { [name]: plain(fields) } })

let bot = null
let response = null
let keys = 0
let holding = null

// Tells what comes in over a circuit. Every region the library enters gets a new one.
function watch(region) {
  const ids = Object.values(Message).filter((id) => typeof id === 'number' && !untold.has(Message[id]))
  region.circuit.subscribeToMessages(ids, (packet) => {
    const name = Message[packet.message.id]
    let body = plain(packet.message)
    if (name.startsWith('ObjectUpdate')) {
      body = { ObjectData: body.ObjectData.map(({ ID, FullID, PCode, ParentID, NameValue }) =>
        ({ ID, FullID, PCode, ParentID, NameValue })) }
    }
    tell({ event: name, body })
  })
}

// The library's own reading of events; friends go by the messages, its friend list starts empty.
function watchEvents(events) {
  events.onNearbyChat.subscribe((chat) => told('chat', chat))
  events.onInstantMessage.subscribe((im) => told('im', im))
  events.onFriendRequest.subscribe((request) => {
    requests.set(request.from.toString(), request)
    told('friend-request', request)
  })
  events.onFriendResponse.subscribe((answer) => told('friend-response', answer))
  events.onTeleportEvent.subscribe((teleport) => told('teleport', teleport))
  events.onDisconnected.subscribe((end) => { stopHolding(); told('disconnected', end) })
  events.onAvatarEnteredRegion.subscribe((avatar) =>
    told('avatar-entered', { Key: avatar.getKey(), Name: avatar.getName() }))
}

const requests = new Map()
const say = () => bot.clientCommands.comms
const friends = () => bot.clientCommands.friends
const here = () => ({ name: bot.currentRegion.regionName, handle: plain(bot.currentRegion.regionHandle),
  handshake: bot.currentRegion.handshakeComplete, terrain: bot.currentRegion.terrainComplete })

// A viewer repeats its AgentUpdate while a key is down. The library drops the keys when it sees itself walk, so that
// holding one means setting it again.
function hold(flags, yaw) {
  keys = flags
  Object.assign(bot.agent.bodyRotation, { x: 0, y: 0, z: Math.sin(yaw / 2), w: Math.cos(yaw / 2) })
  const send = () => { bot.agent.controlFlags = keys; bot.agent.sendAgentUpdate() }
  send()
  if (holding === null) holding = setInterval(send, 200)
  if (flags === 0) stopHolding()
}

function stopHolding() {
  if (holding !== null) clearInterval(holding)
  holding = null
}

const patience = (promise, ms, what) => Promise.race([promise,
  new Promise((_, reject) => setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms).unref())])

const commands = {
  async login({ uri, first, last, password, start = 'last' }) {
    const parameters = new LoginParameters()
    Object.assign(parameters, { firstName: first, lastName: last, password, start, url: uri })
    bot = new Bot(parameters, BotOptionFlags.None)
    watchEvents(bot.clientEvents)
    response = await bot.login()
    const settle = bot.agent.setCurrentRegion.bind(bot.agent)
    bot.agent.setCurrentRegion = (region) => { settle(region); watch(region) }
    await bot.connectToSim()
    await bot.clientCommands.region.waitForHandshake(30000)
    return { agent_id: bot.agentID().toString(), session_id: bot.currentRegion.circuit.sessionID.toString(),
      region: bot.currentRegion.regionName, handle: plain(bot.currentRegion.regionHandle),
      first: bot.agent.firstName, last: bot.agent.lastName }
  },
  async logout() { stopHolding(); await bot.close() },

  async region() { return here() },
  async avatars() {
    const found = {}
    for (const [id, avatar] of bot.currentRegion.agents) found[id] = plain(avatar.position)
    return found
  },
  async exact_avatars() {
    const found = {}
    for (const [id, avatar] of bot.currentRegion.agents) if (avatar.isVisible) found[id] = plain(avatar.position)
    return found
  },
  async avatar_names() {
    const found = {}
    for (const [id, avatar] of bot.currentRegion.agents) found[id] = avatar.getName()
    return found
  },
  async prims() {
    return [...bot.currentRegion.objects.objects.values()].filter(object => object.PCode === 9).length
  },
  async put_script({ object, name, source }) {
    const thing = bot.currentRegion.objects.getObjectByUUID(new UUID(object))
    const script = await patience(thing.rezScript(name, 'put in by a test'), 20000, 'new script')
    await patience(script.updateScript(Buffer.from(source)), 20000, 'saved script')
    await thing.updateInventory()
    return thing.inventory.map((item) => ({ name: item.name, type: item.type, item: item.itemID.toString(),
      asset: item.assetID.toString() }))
  },
  async take_and_rez({ object, position }) {
    const thing = bot.currentRegion.objects.getObjectByUUID(new UUID(object))
    await patience(bot.clientCommands.region.resolveObjects([thing], {}), 20000, 'properties')
    const item = await patience(thing.takeToInventory(), 30000, 'taken item')
    const fresh = await patience(item.rezInWorld(new Vector3(position)), 30000, 'rezzed object')
    return { item: item.itemID.toString(), name: item.name, object: fresh.FullID.toString(), rezzed: fresh.name }
  },
  async terrain() {
    await patience(bot.currentRegion.waitForTerrain(), 30000, 'complete terrain')
    const heights = []
    for (let y = 0; y < 256; y += 16) for (let x = 0; x < 256; x += 16) heights.push(bot.currentRegion.terrain[y][x])
    return heights
  },
  async environment() {
    const { environment } = bot.currentRegion
    return { day: environment.dayCycle.name, length: environment.dayLength }
  },
  async parcels() {
    const found = await bot.clientCommands.region.getParcels()
    return found.map((parcel) => ({ local_id: parcel.LocalID, name: parcel.Name, area: parcel.Area,
      parcel_id: plain(parcel.ParcelID), flags: parcel.ParcelFlags }))
  },

  async chat({ text, kind = 1, channel = 0 }) {
    if (kind === 0) await say().whisper(text, channel)
    else if (kind === 1) await say().say(text, channel)
    else if (kind === 2) await say().shout(text, channel)
    else if (kind === 4) await say().startTypingLocal()
    else if (kind === 5) await say().stopTypingLocal()
    else throw new Error(`no such chat type: ${kind}`)
  },
  async im({ to, text }) { await say().sendInstantMessage(to, text) },
  async im_typing({ to, on = true }) { await (on ? say().startTypingIM(to) : say().stopTypingIM(to)) },
  async offer_friendship({ to, text }) { await friends().sendFriendRequest(to, text) },
  async accept_friendship({ who }) { await friends().acceptFriendRequest(requests.get(who)) },
  async decline_friendship({ who }) { await friends().rejectFriendRequest(requests.get(who)) },
  async grant_rights({ to, rights }) { await friends().grantFriendRights(to, rights) },

  async set_keys({ flags = 0, yaw = 0 }) { hold(flags, yaw) },
  async view_distance({ metres }) { bot.clientCommands.agent.setViewDistance(metres) },
  async sit_on_ground() { bot.clientCommands.movement.sitOnGround() },
  async stand() { bot.clientCommands.movement.stand() },
  async animate({ id, on = true }) {
    const { agent } = bot.clientCommands
    await (on ? agent.startAnimations([new UUID(id)]) : agent.stopAnimations([new UUID(id)]))
  },

  async teleport({ region, handle, position, look_at = [1, 0, 0] }) {
    stopHolding()
    const [at, looking] = [new Vector3(position), new Vector3(look_at)]
    const going = handle !== undefined
      ? bot.clientCommands.teleport.teleportToHandle(Long.fromString(String(handle), true), at, looking)
      : bot.clientCommands.teleport.teleportTo(region, at, looking)
    const event = await patience(going, 40000, 'end of the teleport')
    if (event.simIP !== 'local') await bot.clientCommands.region.waitForHandshake(30000)
    return here()
  },

  async name_of({ id }) {
    const found = await bot.clientCommands.grid.avatarKey2Name(new UUID(id))
    return found.getName()
  },
  async key_of({ name, by_cap = true }) {
    const found = await bot.clientCommands.grid.avatarName2KeyAndName(name, by_cap)
    return { id: found.avatarKey.toString(), name: found.avatarName }
  },
  async profile({ id }) { return plain(await bot.clientCommands.agent.getAvatarProperties(id)) },
  async balance() { return bot.clientCommands.grid.getBalance() },
  async upload_cost() { return bot.currentRegion.getUploadCost() },
  async map_by_name({ name }) { return mapBlock(await bot.clientCommands.grid.getRegionByName(name)) },
  async map_at({ x, y }) {
    const found = await bot.clientCommands.grid.getRegionMapInfo(x, y)
    return { ...plain(found.block), name: found.block.name, avatars: plain(found.avatars) }
  },
  async region_handle({ id }) { return plain(await bot.clientCommands.region.getRegionHandle(new UUID(id))) },

  async inventory() {
    const root = bot.clientCommands.inventory.getInventoryRoot()
    await root.populate(false)
    const folders = []
    for (const folder of bot.agent.inventory.main.skeleton.values()) {
      const { folderID, parentID, name, typeDefault } = folder
      folders.push({ id: folderID.toString(), parent: parentID.toString(), name, type: typeDefault })
    }
    return { root: root.folderID.toString(), children: root.folders.map((folder) => folder.name), folders }
  },
  async folder_items({ type }) {
    const inventory = bot.agent.inventory
    const folder = inventory.main.skeleton.get(inventory.findFolderForType(type).toString())
    await folder.populate(false)
    return folder.items.map((item) => ({ id: item.itemID.toString(), name: item.name, type: item.type,
      inv_type: item.inventoryType, asset: item.assetID.toString() }))
  },
  async asset({ type, id }) {
    const data = await bot.clientCommands.asset.downloadAsset(type, new UUID(id))
    return { size: data.length, head: data.subarray(0, 12).toString('hex') }
  },
  async cap({ name, body, query }) {
    const { caps } = bot.currentRegion
    if (body !== undefined) return plain(await caps.capsPostXML(name, body))
    return plain(await caps.capsGetXML(query ? [name, query] : name))
  },
  async send({ message, blocks }) {
    const made = new messages[`${message}Message`]()
    Object.assign(made, typed(blocks))
    const { circuit } = bot.currentRegion
    if (made.AgentData) Object.assign(made.AgentData, { AgentID: bot.agent.agentID, SessionID: circuit.sessionID })
    await circuit.waitForAck(circuit.sendMessage(made, PacketFlags.Reliable), 10000)
  },
}

const mapBlock = ({ X, Y, name, access, handle }) => ({ x: X, y: Y, name, access, handle: plain(handle) })

// Gives JSON back the types of the wire: "uuid:", "text:" (with its NUL), "hex:", "vector:x,y,z".
function typed(value) {
  if (Array.isArray(value)) return value.map(typed)
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, typed(item)]))
  }
  if (typeof value !== 'string') return value
  const [kind, rest] = [value.slice(0, value.indexOf(':')), value.slice(value.indexOf(':') + 1)]
  if (kind === 'uuid') return new UUID(rest)
  if (kind === 'text') return Buffer.from(rest + '\0')
  if (kind === 'hex') return Buffer.from(rest, 'hex')
  if (kind === 'vector') return new Vector3(rest.split(',').map(Number))
  return value
}

// A failure inside the library's own timers must not end the run silently: it is told, and the scenario judges.
process.on('unhandledRejection', (error) => told('library-error', { text: String(error?.stack ?? error) }))
process.on('uncaughtException', (error) => told('library-error', { text: String(error?.stack ?? error) }))

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const { ticket, do: what, ...given } = JSON.parse(line)
  Promise.resolve().then(() => commands[what](given))
    .then((value) => tell({ ticket, ok: true, value: value ?? null }))
    .catch((error) => {
      const words = String(error?.message ?? error)
      tell({ ticket, ok: false, error: error?.reason ? `${error.reason}: ${words}` : words })
    })
})
lines.on('close', async () => {
  try { if (bot?._agent !== undefined) await bot.close() } catch { /* the grid may be gone already */ }
  process.exit(0)
})
