package server

func listTasks(c *call) reply {
	c.userID = c.filter("userId")
	source, start, end := c.filter("sourceId"), c.filter("startDate"), c.filter("endDate")
	wanted := func(t *task) bool {
		return matches(t.owner().id, c.userID) && matches(t.reference().SourceID, source) && c.during(t.startedAt, start, end)
	}
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	return paginate(c, c.tenant.tasks.after(c.paging.from), wanted, func(t *task) any { return t.wire(&c.box.behavior) })
}

func getTask(c *call) reply {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	t, found := c.tenant.tasks.byID[c.id()]
	if !found {
		return missing()
	}
	c.userID = t.owner().id
	return ok(t.wire(&c.box.behavior))
}
