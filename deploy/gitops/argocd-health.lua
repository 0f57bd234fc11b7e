-- What Argo CD shows of an ImageRef, a provider or an ImageCatalog: what kstatus says, and
-- Suspended beside it. Failed is Degraded, Current is Healthy, everything else Progressing.
--
-- Needs none of Lua's libraries but the base.

-- What passes without anybody's change. It degrades no provider: references keep their answers.
local passing = {
  ProviderUnreachable = true,
  ProviderError = true,
  ResponseInvalid = true,
  RateLimited = true,
}

local health = { status = "Progressing", message = "the operator has not seen it yet" }
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local function is_true(name)
  return conditions[name] ~= nil and conditions[name].status == "True"
end

local ready = conditions.Ready
if ready == nil then
  return health
end
if status.observedGeneration ~= obj.metadata.generation then
  health.message = "the operator has not seen the last change of the spec yet"
  return health
end

health.message = (ready.reason or "") .. ": " .. (ready.message or "")
for _, name in ipairs({ "Stale", "Drifted" }) do
  if is_true(name) then
    health.message = health.message .. " [" .. name .. ": " .. conditions[name].reason .. "]"
  end
end

if ready.reason == "Suspended" then
  health.status = "Suspended"
elseif is_true("Reconciling") then
  health.status = "Progressing"
elseif is_true("Stalled") then
  health.status = "Degraded"
elseif ready.status == "True" then
  health.status = "Healthy"
elseif ready.status == "False" and obj.kind ~= "ImageRef" and not passing[ready.reason] then
  health.status = "Degraded"
end
return health
