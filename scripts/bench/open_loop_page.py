def html_section(results): return ""
