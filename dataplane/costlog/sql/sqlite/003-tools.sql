-- Calls of tools that providers run themselves, by tool, and whether the cost leaves some of them out because nobody knows their price.

alter table attempts add column tool_calls text;
alter table attempts add column partly_priced integer;
