package sandbox

func listArchives(c *call) reply {
	c.userID = c.filter("userId")
	start, end := c.filter("startDate"), c.filter("endDate")
	wanted := func(a *archive) bool {
		return matches(a.owner.id, c.userID) && matches(a.fileType, c.filter("fileType")) && during(a.createdAt, start, end)
	}
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	return paginate(c, c.tenant.archives.after(c.paging.from), wanted, func(a *archive) any { return a.wire() })
}

func getArchive(c *call) reply {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	a, known := c.tenant.archives.byID[c.id()]
	if !known {
		return missing()
	}
	c.userID = a.owner.id
	return ok(a.wire())
}

func deleteArchive(c *call) reply {
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	a, known := c.tenant.archives.byID[c.id()]
	if !known || a.status == revoked {
		return missing()
	}
	a.status, a.updatedAt = revoked, c.now
	c.userID, c.committed = a.owner.id, true
	return done()
}
