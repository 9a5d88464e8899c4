-- The same for all kinds, like health.lua.
local suspended = obj.spec.suspend == true
local actions = {
  suspend = {disabled = suspended},
  resume = {disabled = not suspended},
}
local refreshed = {SmileAccountSync = true, SmileUser = true, SmileWebhookSubscription = true}
if refreshed[obj.kind] then
  actions.refresh = {disabled = suspended}
end
return actions
