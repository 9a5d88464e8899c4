-- The health of an object of smile-operator. The same for all kinds: SmileUser's is the original, and make generate copies it.
local function condition(name)
  for _, found in ipairs((obj.status or {}).conditions or {}) do
    if found.type == name then
      return found
    end
  end
end

local function health(status, about)
  local message = about.message
  if about.reason ~= "Succeeded" then
    message = about.reason .. ": " .. message
  end
  return {status = status, message = message}
end

local ready = condition("Ready")

if obj.metadata.deletionTimestamp ~= nil then
  local blocked = {DeletionBlocked = true, RevokesPaused = true}
  if ready ~= nil and blocked[ready.reason] then
    return health("Degraded", ready)
  end
  return {status = "Progressing", message = "The object is being deleted"}
end

if obj.spec.suspend == true then
  return {status = "Suspended", message = "spec.suspend is true"}
end

-- An older generation says nothing about this one.
if ready == nil or ready.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for smile-operator"}
end

-- Something that the object depends on is suspended.
if ready.reason == "Suspended" then
  return health("Suspended", ready)
end

-- Also if a person has not linked an account yet: nothing in Git can change that.
if ready.status == "True" then
  return health("Healthy", ready)
end

if condition("Stalled") ~= nil then
  return health("Degraded", ready)
end

return health("Progressing", ready)
