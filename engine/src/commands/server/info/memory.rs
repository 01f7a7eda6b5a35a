//! The section memory.

use super::{Fields, View, difference, human, ratio};
use crate::commands::server::memory::Usage;

/// What memory is used for, and how the allocator sees it.
pub(super) fn memory(view: &View<'_, '_>, out: &mut Fields) {
    let usage = Usage::of(view.ctx, &view.facts);
    used(view, &usage, out);
    scripts(view, out);
    allocator(view, &usage, out);
    buffers(view, &usage, out);
}

fn used(view: &View<'_, '_>, usage: &Usage, out: &mut Fields) {
    let facts = &view.facts;
    let percent = |part: u64, whole: u64| format!("{:.2}%", 100.0 * ratio(part, whole));
    let beyond_start = facts.used_memory.saturating_sub(usage.startup);
    out.put("used_memory", facts.used_memory);
    out.put("used_memory_human", human(facts.used_memory));
    out.put("used_memory_rss", facts.rss);
    out.put("used_memory_rss_human", human(facts.rss));
    out.put("used_memory_peak", usage.peak);
    out.put("used_memory_peak_human", human(usage.peak));
    out.put(
        "used_memory_peak_perc",
        percent(facts.used_memory, usage.peak),
    );
    out.put("used_memory_overhead", usage.overhead());
    out.put("used_memory_startup", usage.startup);
    out.put("used_memory_dataset", usage.dataset());
    out.put(
        "used_memory_dataset_perc",
        percent(usage.dataset(), beyond_start),
    );
    out.put("total_system_memory", facts.total_system_memory);
    out.put(
        "total_system_memory_human",
        human(facts.total_system_memory),
    );
}

/// Scripts; there are no functions yet, so they use nothing.
fn scripts(view: &View<'_, '_>, out: &mut Fields) {
    let scripts = &view.ctx.scripts;
    let machine = scripts.machine_memory() as u64;
    let cache = scripts.cache_memory() as u64;
    out.put("used_memory_lua", machine);
    out.put("used_memory_vm_eval", machine);
    out.put("used_memory_lua_human", human(machine));
    out.put("used_memory_scripts_eval", cache);
    out.put("number_of_cached_scripts", scripts.len());
    out.put("number_of_functions", 0);
    out.put("number_of_libraries", 0);
    out.put("used_memory_vm_functions", 0);
    out.put("used_memory_vm_total", machine);
    out.put("used_memory_vm_total_human", human(machine));
    out.put("used_memory_functions", 0);
    out.put("used_memory_scripts", cache);
    out.put("used_memory_scripts_human", human(cache));
}

fn allocator(view: &View<'_, '_>, usage: &Usage, out: &mut Fields) {
    let (facts, memory) = (&view.facts, &view.ctx.config.memory);
    let [allocated, active, resident, muzzy] = usage.allocator;
    let two = |value: f64| format!("{value:.2}");
    out.put("maxmemory", memory.maxmemory);
    out.put("maxmemory_human", human(memory.maxmemory));
    out.put("maxmemory_policy", memory.maxmemory_policy.word());
    out.put("allocator_allocated", allocated);
    out.put("allocator_active", active);
    out.put("allocator_resident", resident);
    out.put("allocator_muzzy", muzzy);
    out.put("allocator_frag_ratio", two(ratio(active, allocated)));
    out.put("allocator_frag_bytes", difference(active, allocated));
    out.put("allocator_rss_ratio", two(ratio(resident, active)));
    out.put("allocator_rss_bytes", difference(resident, active));
    out.put("rss_overhead_ratio", two(ratio(facts.rss, resident)));
    out.put("rss_overhead_bytes", difference(facts.rss, resident));
    out.put(
        "mem_fragmentation_ratio",
        two(ratio(facts.rss, facts.used_memory)),
    );
    out.put(
        "mem_fragmentation_bytes",
        difference(facts.rss, facts.used_memory),
    );
}

fn buffers(view: &View<'_, '_>, usage: &Usage, out: &mut Fields) {
    let keyspace = &view.ctx.keyspace;
    out.put("mem_not_counted_for_evict", usage.passing);
    out.put("mem_replication_backlog", 0);
    out.put("mem_total_replication_buffers", 0);
    out.put("mem_clients_slaves", 0);
    out.put("mem_clients_normal", usage.clients);
    out.put("mem_cluster_links", 0);
    out.put("mem_aof_buffer", usage.log);
    out.put("mem_allocator", &view.ctx.identity.allocator);
    out.put("mem_overhead_db_hashtable_rehashing", 0);
    out.put("active_defrag_running", 0);
    let pending = keyspace.pending_free() + view.ctx.host.destroying();
    out.put("lazyfree_pending_objects", pending);
    out.put("lazyfreed_objects", keyspace.stats.lazily_freed);
}
